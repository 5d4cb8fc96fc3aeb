import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { filePath, fileUri, InvalidUri, parseUri, UnknownScheme } from '../../src/path/index.js';

describe('local paths as URIs', () => {
  it.each([
    ['/tmp/x', undefined, 'file:///tmp/x'],
    ['/tmp/dir/', undefined, 'file:///tmp/dir/'],
    ['/tmp', undefined, 'file:///tmp'],
    ['/', undefined, 'file:///'],
    ['//tmp//x', undefined, 'file:///tmp/x'],
    ['/tmp/./a/../b', undefined, 'file:///tmp/b'],
    ['/tmp/a/..', undefined, 'file:///tmp/'],
    ['/../../x', undefined, 'file:///x'],
    ['/tmp/50% off?#*+ü', undefined, 'file:///tmp/50%25%20off%3F%23%2A%2B%C3%BC'],
    ['/tmp/day=1/x', '/home', 'file:///tmp/day=1/x'],
    ['x', '/home/me', 'file:///home/me/x'],
    ['./x/', '/home/me/', 'file:///home/me/x/'],
    ['../x', '/home/me', 'file:///home/x'],
    ['.', '/home/me', 'file:///home/me/'],
    ['..', '/home/me', 'file:///home/'],
    ['..', '/', 'file:///'],
    ['...', '/tmp', 'file:///tmp/...'],
    ['a.', '/tmp', 'file:///tmp/a.'],
    ['x', '/', 'file:///x'],
    ['s3:/x', '/tmp', 'file:///tmp/s3%3A/x'],
  ])('"%s" in %s is %s', (path, cwd, uri) => {
    expect(fileUri(path, cwd)).toBe(uri);
  });

  it.each([
    ['file:///tmp/a%20b', '/tmp/a b'],
    ['file://localhost/tmp/x/', '/tmp/x/'],
    ['FILE:///tmp/x', '/tmp/x'],
    ['file:///tmp/a//b/../c', '/tmp/a//b/../c'],
    ['file:///tmp/?a#b', '/tmp/?a#b'],
    ['file:///', '/'],
  ])('%s is %s', (uri, path) => {
    expect(filePath(uri)).toBe(path);
  });

  it('refuses anything but a local file', () => {
    expect(() => fileUri('x')).toThrow(InvalidUri);
    expect(() => fileUri('x', 'y')).toThrow(InvalidUri);
    expect(() => fileUri('', '/')).toThrow(InvalidUri);
    expect(() => fileUri('/a\ud800')).toThrow(InvalidUri);
    for (const uri of [
      's3://lake/x',
      's3x://host/b/x',
      'file://host/x',
      'file://',
      '/tmp/x',
      'file:///a/%zz',
    ])
      expect(() => filePath(uri)).toThrow(InvalidUri);
    expect(() => filePath('http://host/x')).toThrow(UnknownScheme);
  });

  const name = fc
    .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('..', '.', '', 'a', ' ', '%41', 'a b', 'ü'))
    .filter((text) => !text.includes('\0'));
  const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join('/'));

  it('every path round-trips, as Node resolves it', () => {
    fc.assert(
      fc.property(path, (local) => {
        fc.pre(local !== '');
        const back = filePath(fileUri(local, '/home/me'));
        expect(back === '/' ? back : back.replace(/\/$/, '')).toBe(resolve('/home/me', local));
        expect(fileUri(back)).toBe(fileUri(local, '/home/me'));
      }),
      { numRuns: 500 },
    );
  });

  it('means what Node means by a file URL, in both directions', () => {
    fc.assert(
      fc.property(path, (local) => {
        const absolute = resolve('/tmp', local);
        expect(fileURLToPath(fileUri(absolute))).toBe(absolute);
        // Node itself drops control characters at the end.
        if (!/\p{Cc}/u.test(local)) expect(filePath(pathToFileURL(absolute).href)).toBe(absolute);
      }),
      { numRuns: 500 },
    );
  });

  it('is the object that the URI names', () => {
    expect(parseUri(fileUri('/tmp/lake/a b'))).toEqual({ scheme: 'file', bucket: 'tmp', key: 'lake/a b' });
  });
});
