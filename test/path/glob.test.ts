import fc from 'fast-check';
import { compileGlob, compileUriGlob, InvalidGlob } from '../../src/path/glob.js';
import { InvalidUri } from '../../src/path/uri.js';

describe('globs', () => {
  it.each([
    ['*.txt', ['a.txt', '.txt'], ['a/b.txt', 'a.txtx', 'A.TXT2']],
    ['raw/**/*.gz', ['raw/a.gz', 'raw/x/y/a.gz'], ['rawa.gz', 'raw/a.txt', 'x/raw/a.gz']],
    ['**/a', ['a', 'x/a', 'x/y/a', '/a'], ['xa', 'x/xa']],
    ['a**/b', ['a/b', 'ax/b', 'a/x/b'], ['ab']],
    ['dir/**', ['dir/', 'dir/a', 'dir/a/b'], ['dir', 'di/r']],
    ['a?c', ['abc', 'a😀c'], ['a/c', 'ac', 'abbc']],
    ['[a-c]x', ['ax', 'cx'], ['dx', 'x', '/x']],
    ['[!a-c]x', ['dx', '!x'], ['ax', '/x']],
    ['[]a]', [']', 'a'], ['b']],
    ['[a-]', ['-', 'a'], ['b']],
    ['[\\]]', [']'], ['\\']],
    ['{a,b{c,d}}e', ['ae', 'bce', 'bde'], ['be', 'ace']],
    ['{**/,x}a', ['a', 'q/a', 'xa'], ['qa']],
    ['{,a}b', ['b', 'ab'], ['aab']],
    ['\\*\\{a', ['*{a'], ['x{a']],
    ['a,b}', ['a,b}'], ['a']],
    ['', [''], ['a']],
  ] as const)('%s', (pattern, yes, no) => {
    const glob = compileGlob(pattern);
    for (const key of yes) expect([key, glob.matches(key)]).toEqual([key, true]);
    for (const key of no) expect([key, glob.matches(key)]).toEqual([key, false]);
  });

  it.each([
    ['raw/2026/**/*.gz', 'raw/2026/', true],
    ['raw/a', 'raw/a', false],
    ['\\*x{a,b}', '*x', true],
    ['{a,ab}', '', true],
  ])('lists %s below "%s"', (pattern, prefix, wild) => {
    expect(compileGlob(pattern)).toMatchObject({ prefix, wild });
  });

  it.each([
    ['raw/*.txt', ['', 'raw/', 'r'], ['raw/sub/', 'other/']],
    ['raw/**/*.txt', ['raw/sub/', 'raw/a/b/', 'raw/a.txt/'], ['other/']],
    ['raw/{a,b/c}/*.txt', ['raw/a/', 'raw/b/', 'raw/b/c/'], ['raw/c/', 'raw/a/x/']],
    ['raw/[a-c]?/x', ['raw/ab/'], ['raw/dd/', 'raw/a/']],
    ['raw/a', ['raw/'], ['raw/a/']],
  ] as const)('%s reaches into directories that may hold a match', (pattern, yes, no) => {
    const glob = compileGlob(pattern);
    for (const start of yes) expect([start, glob.reaches(start)]).toEqual([start, true]);
    for (const start of no) expect([start, glob.reaches(start)]).toEqual([start, false]);
  });

  it('takes percent escapes of a URI literally', () => {
    expect(compileUriGlob('a%20b%2A*').matches('a b*xyz')).toBe(true);
    expect(compileUriGlob('a%2A').matches('ab')).toBe(false);
    expect(compileUriGlob('%C3%BC/[%5D]').matches('ü/]')).toBe(true);
    expect(compileUriGlob('{a%2Cb,c}').matches('a,b')).toBe(true);
    expect(() => compileUriGlob('%zz')).toThrow(InvalidUri);
    expect(() => compileUriGlob('%ff')).toThrow(InvalidUri);
  });

  it.each(['[a', '{a,b', 'a\\', '[z-a]', '[', '{', '[!'])('refuses %s', (pattern) => {
    expect(() => compileGlob(pattern)).toThrow(InvalidGlob);
  });

  it('agrees with a plain backtracking matcher', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '/',
      '*',
      '**',
      '**/',
      '?',
      '[ab]',
      '[!a]',
      '{a,b/}',
      '{,*b,**/a}',
      '\\*',
    );
    const text = fc
      .array(fc.constantFrom('a', 'b', '/', '*'), { maxLength: 7 })
      .map((chars) => chars.join(''));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), text, (pieces, key) => {
        const pattern = pieces.join('');
        expect(compileGlob(pattern).matches(key)).toBe(reference(pattern, key));
      }),
      { numRuns: 5000 },
    );
  });

  it('every match starts with the prefix', () => {
    const piece = fc.constantFrom('a', 'b', '/', '*', '?', '[ab]', '{a,b}');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 4 }),
        fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 5 }),
        (pieces, chars) => {
          const pattern = pieces.join('');
          const key = chars.join('');
          if (reference(pattern, key)) expect(key.startsWith(compileGlob(pattern).prefix)).toBe(true);
        },
      ),
    );
  });

  it('terminates where backtracking would take years', () => {
    const glob = compileGlob(`${'**a*'.repeat(20)}${'{a,aa}'.repeat(20)}b`);
    expect(glob.matches('a'.repeat(1000))).toBe(false);
  });
});

/** Expands choices, then matches by trying everything. */
function reference(pattern: string, key: string): boolean {
  const choice = /^((?:[^{}\\]|\\.)*)\{([^{}]*)\}([^]*)$/.exec(pattern);
  if (choice === null) return backtrack(pattern, key, true);
  const [, before = '', of = '', after = ''] = choice;
  return of.split(',').some((option) => {
    // `**/` after an option counts as at a name's start only if the option ends in a slash literally.
    return referenceGuarded(before, option, after, key);
  });
}

function referenceGuarded(before: string, option: string, after: string, key: string): boolean {
  // After a choice no name starts, as far as the syntax can tell: a marker keeps `**/` from standing for nothing.
  return reference(`${before}\u0001${option}\u0000${after}`, key);
}

function backtrack(p: string, k: string, start: boolean): boolean {
  if (p === '') return k === '';
  if (p.startsWith('\u0000')) return backtrack(p.slice(1), k, false);
  if (p.startsWith('\u0001')) return backtrack(p.slice(1), k, start);
  if (start && /^\*\*+\//.test(p)) {
    const rest = p.replace(/^\*+\//, '');
    if (backtrack(rest, k, true)) return true;
    for (let i = 0; i < k.length; i += 1)
      if (k[i] === '/' && backtrack(rest, k.slice(i + 1), true)) return true;
    return false;
  }
  const stars = /^\*+/.exec(p)?.[0] ?? '';
  if (stars !== '') {
    for (let i = 0; i <= k.length; i += 1) {
      if (backtrack(p.slice(stars.length), k.slice(i), false)) return true;
      if (stars.length === 1 && k[i] === '/') return false;
    }
    return false;
  }
  const [c] = k;
  if (c === undefined) return false;
  if (p.startsWith('\\')) return c === p[1] && backtrack(p.slice(2), k.slice(1), c === '/');
  if (p.startsWith('?')) return c !== '/' && backtrack(p.slice(1), k.slice(1), false);
  if (p.startsWith('[ab]')) return (c === 'a' || c === 'b') && backtrack(p.slice(4), k.slice(1), false);
  if (p.startsWith('[!a]')) return c !== 'a' && c !== '/' && backtrack(p.slice(4), k.slice(1), false);
  return c === p[0] && backtrack(p.slice(1), k.slice(1), c === '/');
}
