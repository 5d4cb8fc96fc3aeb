import assert from 'node:assert/strict';
import type { Declare } from './case.js';
import { answer, bytes, fails, keysOf, pages } from './support.js';

/** Listings: order, pages, prefixes, delimiters. */
export function listingTests(test: Declare): void {
  const names = [
    'a',
    'a!',
    'a-b',
    'a/1',
    'a/2',
    'a/x/1',
    'a0',
    'b/',
    'b/1',
    'c',
    'c/d/e/f',
    'Z',
    '\uffee',
    '\u{1f600}',
    '\u{1f600}/x',
  ];
  const order = (keys: readonly string[]): string[] =>
    [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

  test('lists in the order of UTF-8 bytes, with sizes and ETags', async ({ store, prefix }) => {
    for (const name of names) await answer(store.put(prefix + name, bytes(name)));
    const page = await answer(store.list({ prefix }));
    assert.deepEqual(
      page.objects.map(({ key }) => key),
      order(names).map((name) => prefix + name),
    );
    assert.deepEqual(page.prefixes, []);
    assert.equal(page.cursor, undefined);
    for (const listed of page.objects) {
      const head = await answer(store.head(listed.key));
      assert.equal(listed.size, head.size);
      assert.equal(listed.etag, head.etag);
      assert.equal(listed.metadata, undefined);
    }
  });

  test('pages of every size give the same listing, and no page is too long', async ({ store, prefix }) => {
    for (const name of names) await answer(store.put(prefix + name, bytes('x')));
    const all = order(names).map((name) => prefix + name);
    for (let limit = 1; limit <= names.length + 1; limit += 1) {
      const got = await pages(store, { prefix, limit });
      assert.deepEqual(
        got.flatMap(({ keys }) => keys),
        all,
      );
      assert.ok(got.every(({ keys }) => keys.length <= limit));
    }
  });

  test('starts strictly after a key, whether it exists or not', async ({ store, prefix }) => {
    for (const name of names) await answer(store.put(prefix + name, bytes('x')));
    const all = order(names);
    for (const after of [...all, '', 'a/', 'a/1/', 'bb', '\u{1f601}', 'zzz']) {
      const expected = all
        .filter((name) => Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0)
        .map((name) => prefix + name);
      assert.deepEqual(
        await keysOf(store, { prefix, startAfter: prefix + after, limit: 4 }),
        expected,
        `after "${after}"`,
      );
    }
  });

  test('a prefix is a plain string: it may end anywhere', async ({ store, prefix }) => {
    for (const name of names) await answer(store.put(prefix + name, bytes('x')));
    for (const start of ['a', 'a/', 'a/x', 'a/x/', 'c/d', 'c/d/e/f', 'nothing', 'a!', '\u{1f600}']) {
      const expected = order(names)
        .filter((name) => name.startsWith(start))
        .map((name) => prefix + name);
      assert.deepEqual(await keysOf(store, { prefix: prefix + start }), expected, `below "${start}"`);
    }
  });

  test('a delimiter folds what is below it, on pages of every size', async ({ store, prefix }) => {
    for (const name of names) await answer(store.put(prefix + name, bytes('x')));
    const under = (below: string): string[] => [
      ...new Set(
        order(names)
          .filter((name) => name.startsWith(below))
          .map((name) => {
            const slash = name.indexOf('/', below.length);
            return prefix + (slash < 0 ? name : name.slice(0, slash + 1));
          }),
      ),
    ];
    for (const below of ['', 'a', 'a/', 'c/d/']) {
      for (const limit of [1, 2, 3, 5, 1000]) {
        const got = await pages(store, { prefix: prefix + below, delimiter: '/', limit });
        const folded = got.flatMap(({ prefixes }) => prefixes);
        const entries = order([...got.flatMap(({ keys }) => keys), ...folded]);
        assert.deepEqual(entries, order(under(below)), `below "${below}", pages of ${limit}`);
        // `b/` is both a key and a prefix: it must be folded.
        assert.ok(folded.every((one) => one.endsWith('/')));
        assert.ok(got.every(({ keys, prefixes }) => keys.length + prefixes.length <= limit));
      }
    }
  });

  test('more than a page of objects comes in pages of a thousand', async ({ store, prefix }) => {
    const keys = Array.from({ length: 1005 }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`);
    for (let i = 0; i < keys.length; i += 32) {
      await Promise.all(keys.slice(i, i + 32).map((key) => answer(store.put(key, bytes('x')))));
    }
    const got = await pages(store, { prefix });
    assert.deepEqual(
      got.map((page) => page.keys.length),
      [1000, 5],
    );
    assert.deepEqual(
      got.flatMap((page) => page.keys),
      keys,
    );
    await answer(store.delete(keys));
  });

  test('no objects are an empty page; a limit out of bounds is rejected', async ({ store, prefix }) => {
    const { date, ...empty } = await answer(store.list({ prefix: `${prefix}nothing/` }));
    assert.deepEqual(empty, { objects: [], prefixes: [] });
    assert.ok(date === undefined || Number.isFinite(date));
    await fails(store.list({ prefix, limit: 0 }), 'InvalidRequest');
    await fails(store.list({ prefix, limit: 1001 }), 'InvalidRequest');
  });
}
