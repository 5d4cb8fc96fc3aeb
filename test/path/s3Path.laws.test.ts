import fc from 'fast-check';
import { S3Path } from '../../src/path/index.js';
import { effort } from '../support/effort.js';

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', ' ', 'ü', '..', '.', '...', 'a b', '😀') },
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
);
const plain = name.map((text) => text.replaceAll('/', '')).filter((text) => !/^\.{0,2}$/.test(text));
const bucket = fc.stringMatching(/^[a-z][a-z0-9.-]{0,10}$/);

/** Names, with or without a slash at either end. */
const text = (names: fc.Arbitrary<string>, start: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(start, fc.array(names, { maxLength: 5 }), fc.constantFrom('', '/'))
    .map(([first, all, last]) => first + all.join('/') + (all.length === 0 ? '' : last));
const start = fc.constantFrom('', '/');
const path = text(name, start).map((each) => S3Path.of('lake', each));
/** Both absolute or both relative. */
const pair = fc
  .tuple(path, path)
  .map(([a, b]): [S3Path, S3Path] =>
    a.isAbsolute === b.isAbsolute ? [a, b] : [a.toAbsolute(), b.toAbsolute()],
  );

const check = <T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => void): void =>
  fc.assert(fc.property(arbitrary, law), { numRuns: effort(300, 1000) });
const same = (a: S3Path | undefined, b: S3Path | undefined): void =>
  expect(a?.toString()).toBe(b?.toString());

describe('laws of paths', () => {
  it('resolve undoes relativize', () => {
    check(pair, ([a, b]) => same(a.resolve(a.relativize(b)).normalize(), b.normalize()));
  });

  it('relativize undoes resolve', () => {
    check(fc.tuple(path, text(plain, fc.constant(''))), ([base, other]) =>
      same(base.relativize(base.resolve(other)), S3Path.of('lake', other)),
    );
  });

  it('a resolved path starts with the first and ends with the second', () => {
    check(
      fc.tuple(
        path,
        text(plain, fc.constant('')).filter((each) => each !== ''),
      ),
      ([base, other]) => {
        const resolved = base.resolve(other);
        expect(base.toString() === '' || resolved.startsWith(base)).toBe(true);
        expect(resolved.endsWith(other)).toBe(true);
      },
    );
  });

  it('normalize is idempotent, preserves the kind of path, and leaves no dots', () => {
    check(path, (it) => {
      const normal = it.normalize();
      same(normal.normalize(), normal);
      expect(normal.isDirectory).toBe(it.isDirectory);
      expect(normal.isAbsolute).toBe(it.isAbsolute);
      expect([...normal]).not.toContainEqual(expect.stringMatching(/^\.{1,2}\/?$/));
      expect(normal.key).toBe(it.key);
    });
  });

  it('a key is never above the root, and ends in a slash for directories', () => {
    check(path, (it) => {
      expect(it.key).not.toMatch(/^\/|\/\/|(^|\/)\.{1,2}(\/|$)/);
      expect(it.key === '' || it.key.endsWith('/')).toBe(it.isDirectory);
    });
  });

  it('a path is its parent and its name, and all its names in order', () => {
    check(path, (it) => {
      const { parent, fileName } = it;
      if (parent !== undefined && fileName !== undefined) same(parent.resolve(fileName), it);
      const names = [...it].reduce<S3Path>(
        (before, each) => before.resolve(each),
        it.root ?? S3Path.of('lake'),
      );
      same(names, it);
      expect(names.nameCount).toBe(it.nameCount);
      for (let i = 0; i < it.nameCount; i += 1) expect([...it][i]).toBe(it.name(i).toString());
    });
  });

  it('every path round-trips through its URI', () => {
    check(fc.tuple(bucket, text(name, start)), ([home, each]) => {
      const it = S3Path.of(home, each);
      const back = S3Path.from(it.toUri());
      same(back, it.toAbsolute().normalize());
      expect([back.bucket, back.key]).toEqual([home, it.key]);
    });
  });

  it('compare is an order that agrees with equals', () => {
    check(fc.tuple(path, path, path), ([a, b, c]) => {
      expect(a.compare(b) === 0).toBe(a.equals(b));
      expect(Math.sign(a.compare(b))).toBe(-Math.sign(b.compare(a)) + 0);
      if (a.compare(b) <= 0 && b.compare(c) <= 0) expect(a.compare(c)).toBeLessThanOrEqual(0);
    });
  });
});
