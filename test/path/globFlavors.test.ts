import fc from 'fast-check';
import { compileGlob, InvalidGlob, PathError, S3Path } from '../../src/path/index.js';
import { patterns } from './javaNio.js';
import { referenceGlob } from './referenceGlob.js';

const at = (text: string): S3Path => S3Path.of('lake', text);

describe('patterns of S3Path', () => {
  it.each(patterns)('%s as java.nio: "%s"', (pattern, path, matches) => {
    expect(at(path).matches(pattern)).toBe(matches);
  });

  it.each([
    ['*', 'dir/', true],
    ['dir', 'dir/', true],
    ['dir/*', 'dir/', false],
    ['dir/*', 'dir/sub/', true],
    ['/', '/', true],
    ['**', '/', true],
  ])('%s sees no slash at the end: "%s"', (pattern, path, matches) => {
    expect(at(path).matches(`glob:${pattern}`)).toBe(matches);
  });

  it('accepts a regular expression, which must match the whole path', () => {
    expect(at('raw/a.TXT').matches(/raw\/.*\.txt/i)).toBe(true);
    expect(at('raw/a.txt').matches(/raw/)).toBe(false);
    expect(at('b\na').matches(/^a$/m)).toBe(false);
    expect(at('ab').matches(/a|ab/)).toBe(true);
    expect(at('dir/').matches(/dir/)).toBe(true);
    expect(['a', 'a'].map(at).map(S3Path.matcher(/a/gy))).toEqual([true, true]);
  });

  it('is compiled once for many paths', () => {
    expect(['a.gz', 'b.txt', 'c.gz'].map(at).filter(S3Path.matcher('glob:*.gz')).map(String)).toEqual([
      'a.gz',
      'c.gz',
    ]);
  });

  it.each(['a*', 'foo:a', ':a', 'glob', '', 'regex:(', 'regex:)|(', 'regex:\\-'])(
    'refuses "%s" as InvalidPattern',
    (pattern) => {
      expect(() => at('a').matches(pattern)).toThrow(PathError);
      expect(() => at('a').matches(pattern)).toThrow(expect.objectContaining({ code: 'InvalidPattern' }));
    },
  );

  it('refuses a malformed glob as InvalidGlob', () => {
    for (const glob of ['{a', '[a', 'a\\', '[c-a]', '[]', '[!]'])
      expect(() => at('a').matches(`glob:${glob}`)).toThrow(InvalidGlob);
  });
});

describe('the two flavors of globs', () => {
  // Pattern, key, whether files() matches it, whether S3Path does.
  it.each([
    ['**/*.txt', 'a.txt', true, false],
    ['**/*.txt', 'd/a.txt', true, true],
    ['raw/**/a', 'raw/a', true, false],
    ['raw/**/a', 'raw/x/y/a', true, true],
    ['{**/,x}a', 'a', true, false],
    ['**/**/a', 'a', true, false],
    ['*{*,b}', '/b', false, false],
    ['[\\]]', ']', true, false],
    ['[\\]]', '\\]', false, true],
    ['[\\\\]', '\\', true, true],
    ['\\[\\\\', '[\\', true, true],
  ])('%s and "%s"', (pattern, key, files, path) => {
    expect(compileGlob(pattern).matches(key)).toBe(files);
    expect(compileGlob(pattern, { flavor: 'files' }).matches(key)).toBe(files);
    expect(compileGlob(pattern, { flavor: 'path' }).matches(key)).toBe(path);
  });

  const piece = fc.constantFrom(
    ...['a', 'b', 'c', '/', '*', '**', '**/', '?', '[ab]', '[!a]', '[a-c]', '[!b-c]', '[*-]', '[\\]'],
    ...['{a,b/}', '{,*b,**/a}', '{a,{b,[!c]}c}', '{}', '\\*', '\\a', '}', ',', '😀'],
  );
  const pattern = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  const key = fc
    .array(fc.constantFrom('a', 'b', 'c', '/', '*', '\\', '-', ',', '}', '😀'), { maxLength: 7 })
    .map((chars) => chars.join(''));

  it('the flavor of paths agrees with an exhaustive matcher', () => {
    fc.assert(
      fc.property(pattern, key, (glob, text) => {
        expect(compileGlob(glob, { flavor: 'path' }).matches(text)).toBe(referenceGlob(glob, text));
      }),
      { numRuns: 3000 },
    );
  });

  it('the flavor of files matches whatever that of paths matches, and the same without "**/" and "\\"', () => {
    fc.assert(
      fc.property(
        pattern.filter((glob) => !glob.includes('\\')),
        key,
        (glob, text) => {
          const files = compileGlob(glob).matches(text);
          const path = compileGlob(glob, { flavor: 'path' }).matches(text);
          expect(path && !files).toBe(false);
          if (!glob.includes('**/')) expect(files).toBe(path);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('both compile any string or refuse it as InvalidGlob', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.constantFrom('[', ']', '{', '}', '!', '-', '\\', '*', '?', ',', 'a', '/'), {
          maxLength: 12,
        })
        .map((chars) => chars.join('')),
    );
    fc.assert(
      fc.property(text, fc.constantFrom('files' as const, 'path' as const), (glob, flavor) => {
        let error: unknown;
        try {
          expect(typeof compileGlob(glob, { flavor }).matches('a/b')).toBe('boolean');
        } catch (thrown) {
          error = thrown;
        }
        if (error !== undefined) expect(error).toBeInstanceOf(InvalidGlob);
      }),
      { numRuns: 500 },
    );
  });
});
