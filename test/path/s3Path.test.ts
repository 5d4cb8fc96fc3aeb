import { inspect } from 'node:util';
import { InvalidUri, PathError, S3Path, UnknownScheme } from '../../src/path/index.js';
import { one, two } from './javaNio.js';

const at = (text: string): S3Path => S3Path.of('lake', text);
const text = (path: S3Path | undefined): string | undefined => path?.toString();

describe('S3Path as java.nio.file.Path', () => {
  /** Ours without the slash that tells a directory, which java.nio does not have. */
  const bare = (path: S3Path | string | undefined): string | undefined =>
    path?.toString().replace(/(?!^)\/$/, '');

  /** Above the root there is nothing; java.nio keeps `..` at the start of a relative path. */
  const normalized: Readonly<Record<string, string>> = { '..': '', '../a': 'a', 'a/../..': '' };

  it.each(one)('"%s"', (from, string, root, parent, fileName, names, normal) => {
    const path = at(from);
    expect({
      string: text(path),
      root: text(path.root),
      parent: bare(path.parent),
      fileName: bare(path.fileName),
      names: [...path].map(bare),
      count: path.nameCount,
      normal: bare(path.normalize()),
    }).toEqual({
      string,
      root,
      parent,
      fileName,
      names,
      count: names.length,
      normal: normalized[from] ?? normal,
    });
  });

  /**
   * The way up to an object is by its name, because `..` is a directory. And where `..` leads above the root there is
   * nothing to go back through, so there always is a way.
   */
  const relative: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    a: { '../a': '' },
    ab: { '../a': '../a' },
    'a/b': { a: '../../a', '../a': '../../a' },
    '/a/b': { '/a': '../../a' },
    '/a/c/d': { '/a': '../../../a' },
    '../a': { '': '..', a: '', 'a/b': 'b', ab: '../ab', 'a/../c': '../c' },
    'a/../c': { '../a': '../a' },
  };

  it.each(two)('"%s" and "%s"', (left, right, resolved, sibling, way, starts, ends, order) => {
    const [a, b] = [at(left), at(right)];
    expect(text(a.resolve(b))).toBe(resolved);
    expect(bare(a.resolveSibling(b))).toBe(sibling);
    const expected = relative[left]?.[right] ?? way;
    if (expected === undefined) expect(() => a.relativize(b)).toThrow(PathError);
    else expect(text(a.relativize(b))).toBe(expected);
    expect([a.startsWith(b), a.endsWith(b)]).toEqual([starts, ends]);
    expect(Math.sign(a.compare(b))).toBe(order);
    expect(a.equals(b)).toBe(left === right);
  });
});

describe('S3Path and directories', () => {
  it.each(['', '/', '.', '..', 'a/', '/a/', './', 'a/.', 'a/..', '/..', '/.', ' /'])(
    '"%s" is a directory',
    (path) => expect(at(path).isDirectory).toBe(true),
  );

  it.each(['a', '/a', 'a/b', '.a', 'a.', '...', 'a/...', ' ', './a', '../a'])(
    '"%s" is not, judging by its string',
    (path) => expect(at(path).isDirectory).toBe(false),
  );

  // Path, parent, last name, names, normalized, key.
  it.each([
    ['a/', undefined, 'a/', ['a/'], 'a/', 'a/'],
    ['/a/', '/', 'a/', ['a/'], '/a/', 'a/'],
    ['a/b', 'a/', 'b', ['a/', 'b'], 'a/b', 'a/b'],
    ['/a/b/', '/a/', 'b/', ['a/', 'b/'], '/a/b/', 'a/b/'],
    ['a//b//', 'a/', 'b/', ['a/', 'b/'], 'a/b/', 'a/b/'],
    ['/a/.', '/a/', '.', ['a/', '.'], '/a/', 'a/'],
    ['/a/b/..', '/a/b/', '..', ['a/', 'b/', '..'], '/a/', 'a/'],
    ['/a/..', '/a/', '..', ['a/', '..'], '/', ''],
    ['a/..', 'a/', '..', ['a/', '..'], '', ''],
    ['/../x', '/../', 'x', ['../', 'x'], '/x', 'x'],
    ['../x', '../', 'x', ['../', 'x'], 'x', 'x'],
    ['../../x/', '../../', 'x/', ['../', '../', 'x/'], 'x/', 'x/'],
    ['/', undefined, undefined, [], '/', ''],
    ['', undefined, '', [''], '', ''],
    ['.', undefined, '.', ['.'], '', ''],
    ['./', undefined, './', ['./'], '', ''],
  ])('"%s"', (from, parent, fileName, names, normal, key) => {
    const path = at(from);
    expect([text(path.parent), text(path.fileName), [...path]]).toEqual([parent, fileName, names]);
    expect([text(path.normalize()), path.key]).toEqual([normal, key]);
  });

  it('distinguishes "dir" from "dir/"', () => {
    expect(at('dir').equals(at('dir/'))).toBe(false);
    expect(at('dir').compare(at('dir/'))).toBeLessThan(0);
    expect(at('dir').toUri()).toBe('s3://lake/dir');
    expect(at('dir/').toUri()).toBe('s3://lake/dir/');
  });

  it.each([
    ['dir', 'x', 'dir/x'],
    ['dir/', 'x', 'dir/x'],
    ['dir', 'x/', 'dir/x/'],
    ['dir/', '', 'dir/'],
    ['dir', '.', 'dir/.'],
    ['/', 'x/', '/x/'],
  ])('"%s" resolves "%s" to "%s"', (base, other, resolved) => {
    expect(text(at(base).resolve(other))).toBe(resolved);
  });

  it.each([
    ['a/', 'b', 'b'],
    ['/a/b/', 'c/', '/a/c/'],
    ['/a/b', '', '/a/'],
    ['/', 'x', 'x'],
  ])('beside "%s", "%s" is "%s"', (base, other, resolved) => {
    expect(text(at(base).resolveSibling(other))).toBe(resolved);
  });

  it.each([
    ['/a/', '/a/b/', 'b/'],
    ['/a', '/a/b/', 'b/'],
    ['/a/x', '/a/y/', '../y/'],
    ['/a/b/', '/a/', '..'],
    ['/a/b/c', '/a/', '../..'],
    ['/a/b/c', '/', '../../..'],
    ['/a', '/a/', '.'],
    ['/a/', '/a', '../a'],
    ['/a/', '/a/', ''],
    ['/a/.', '/a/', ''],
    ['/a/b', '/a/c/..', '..'],
    ['a/', '', '..'],
    ['.', 'x', 'x'],
  ])('from "%s" to "%s" it is "%s"', (base, target, way) => {
    expect(text(at(base).relativize(target))).toBe(way);
  });

  // Path, other, starts with, ends with.
  it.each([
    ['dir/x', 'dir', true, false],
    ['dir/x', 'dir/', true, false],
    ['dir', 'dir/', false, false],
    ['dir/', 'dir', true, false],
    ['dir/', 'dir/', true, true],
    ['x/dir/', 'dir/', false, true],
    ['x/dir/', 'dir', false, false],
    ['x/dir', 'dir/', false, false],
    ['directory/x', 'dir', false, false],
    ['/a/', '/', true, false],
  ])('"%s" and "%s"', (path, other, starts, ends) => {
    expect([at(path).startsWith(other), at(path).endsWith(other)]).toEqual([starts, ends]);
  });
});

describe('S3Path', () => {
  it('joins its parts', () => {
    expect(text(S3Path.of('lake'))).toBe('');
    expect(text(S3Path.of('lake', 'a', '', '/b/', 'c'))).toBe('a/b/c');
    expect(text(S3Path.of('lake', '', '/a'))).toBe('/a');
    expect(text(S3Path.of('lake', '/', 'a', 'b/'))).toBe('/a/b/');
  });

  it.each([
    ['s3://lake/raw/a%20b', 's3://lake', '/raw/a b', 's3://lake/raw/a%20b'],
    ['s3a://lake', 's3://lake', '/', 's3://lake/'],
    ['s3://lake//a//b/../c/', 's3://lake', '/a/b/../c/', 's3://lake/a/c/'],
    ['s3x://key:secret@Host:9000/lake/%2A', 's3x://host:9000/lake', '/*', 's3x://host:9000/lake/%2A'],
    ['memory://m/x', 'memory://m', '/x', 'memory://m/x'],
    ['file:///tmp/x/', 'file:///tmp', '/x/', 'file:///tmp/x/'],
  ])('is the absolute path that %s names', (uri, place, path, formatted) => {
    const it = S3Path.from(uri);
    expect([text(it), it.isAbsolute, it.toUri()]).toEqual([path, true, formatted]);
    expect(inspect(it)).toBe(`S3Path(${place}, '${path}')`);
  });

  it('stays on the server of its URI', () => {
    const path = S3Path.from('s3x://host:9000/lake/raw/');
    expect(path.resolve('a b').toUri()).toBe('s3x://host:9000/lake/raw/a%20b');
    expect(path.equals(S3Path.from('s3x://host:9001/lake/raw/'))).toBe(false);
    expect(path.equals(S3Path.of('lake', '/raw/'))).toBe(false);
  });

  it('is resolved against the root if it is relative', () => {
    expect(text(at('a/b').toAbsolute())).toBe('/a/b');
    expect(text(at('').toAbsolute())).toBe('/');
    expect(text(at('../a').toAbsolute())).toBe('/../a');
    for (const path of ['/object', './object', 'object', '../object']) expect(at(path).key).toBe('object');
  });

  it('takes a key literally, whatever the name of its bucket', () => {
    expect(S3Path.of('mybucket', 'mybucketfoo/x').key).toBe('mybucketfoo/x');
    expect(S3Path.from('s3://mybucket/mybucket/x').key).toBe('mybucket/x');
    expect(S3Path.of('lake', 's3:/lake/x').key).toBe('s3:/lake/x');
  });

  it('keeps the spaces of its names', () => {
    expect(S3Path.of('lake', ' a ', ' ', 'b ').key).toBe(' a / /b ');
    expect(at(' ').nameCount).toBe(1);
  });

  it('returns its names by index', () => {
    const path = at('/a/b/c');
    expect([path.name(0), path.name(2), path.subpath(0, 2), path.subpath(1)].map(String)).toEqual([
      'a/',
      'c',
      'a/b/',
      'b/c',
    ]);
    expect(text(at('').subpath(0, 1))).toBe('');
  });

  it.each([
    ['index', () => at('a/b').name(2)],
    ['index', () => at('a/b').name(-1)],
    ['index', () => at('a/b').name(0.5)],
    ['index', () => at('a/b').name(NaN)],
    ['index', () => at('/').name(0)],
    ['index', () => at('a/b').subpath(1, 1)],
    ['index', () => at('a/b').subpath(0, 3)],
    ['index', () => at('a/b').subpath(2)],
  ])('has no name at an %s that is out of range', (_, work) => {
    expect(work).toThrow(expect.objectContaining({ code: 'IndexOutOfRange' }));
  });

  it('refuses invalid paths', () => {
    const elsewhere = S3Path.of('other', 'x');
    for (const work of [
      () => at('a').resolve(elsewhere),
      () => at('a').resolve(elsewhere.toAbsolute()),
      () => at('a').resolveSibling(elsewhere),
      () => at('a').relativize(elsewhere),
    ])
      expect(work).toThrow(expect.objectContaining({ code: 'DifferentBuckets' }));
    expect(() => at('/a').relativize('b')).toThrow(expect.objectContaining({ code: 'AbsoluteAndRelative' }));
    expect(() => at('a').relativize('/b')).toThrow(expect.objectContaining({ code: 'AbsoluteAndRelative' }));
    expect(() => S3Path.of('', 'a')).toThrow(expect.objectContaining({ code: 'InvalidPath' }));
    expect(() => at('a\ud800')).toThrow(expect.objectContaining({ code: 'InvalidPath' }));
    expect(() => S3Path.of('arn:aws:s3:eu-west-1:123456789012:accesspoint/mine')).toThrow(InvalidUri);
    expect(() => S3Path.from('ftp://lake/x')).toThrow(UnknownScheme);
    expect(at('a').startsWith(elsewhere)).toBe(false);
    expect(elsewhere.endsWith(at('x'))).toBe(false);
  });

  it('is equal by bucket and string, and to nothing else', () => {
    expect(at('a/b').equals(S3Path.of('lake', 'a', 'b'))).toBe(true);
    expect(at('a').equals(S3Path.of('pond', 'a'))).toBe(false);
    expect(at('a').equals(at('./a'))).toBe(false);
    expect(at('a').equals('a')).toBe(false);
    expect(at('a')).toEqual(at('a'));
    expect(at('a')).not.toEqual(at('b'));
  });

  it('sorts by bucket, then as S3 lists', () => {
    const sorted = [S3Path.of('a', 'z'), ...['', 'B', 'a', 'a/b', 'aa', '\uffee', '😀'].map(at)];
    expect([...sorted].reverse().sort((a, b) => a.compare(b))).toEqual(sorted);
  });
});
