import assert from 'node:assert/strict';
import type { Observable } from 'rxjs';
import { join } from '../../store/helpers.js';
import type { Declare } from './case.js';
import { answer, bytes, fails, keysOf, read, seeded } from './support.js';

/** Reading, writing, copying and deleting whole objects, with any keys. */
export function objectTests(test: Declare): void {
  test('what was put is read back, with its size, ETag and time', async ({ store, prefix }) => {
    const before = Date.now();
    const { etag } = await answer(store.put(`${prefix}a`, bytes('hello')));
    const head = await answer(store.head(`${prefix}a`));
    assert.equal(head.key, `${prefix}a`);
    assert.equal(head.size, 5);
    assert.equal(head.etag, etag);
    assert.doesNotMatch(head.etag, /"/);
    assert.ok(Math.abs(head.modified - before) < 3_600_000, 'modified is about now');
    const { info, chunks } = await answer(store.get(`${prefix}a`));
    assert.deepEqual(info, head);
    assert.equal(Buffer.concat(chunks).toString(), 'hello');
  });

  test('an empty object is an object', async ({ store, prefix }) => {
    await answer(store.put(`${prefix}empty`, bytes('')));
    assert.equal((await answer(store.head(`${prefix}empty`))).size, 0);
    assert.equal(await read(store, `${prefix}empty`), '');
    assert.equal(
      join((await answer(store.get(`${prefix}empty`, { range: { start: 0, end: 5 } }))).chunks).length,
      0,
    );
  });

  test('a put replaces body and metadata', async ({ store, prefix }) => {
    const first = await answer(store.put(`${prefix}a`, bytes('one'), { metadata: { n: '1' } }));
    const second = await answer(store.put(`${prefix}a`, bytes('second')));
    assert.notEqual(first.etag, second.etag);
    const head = await answer(store.head(`${prefix}a`));
    assert.equal(head.size, 6);
    assert.deepEqual(head.metadata ?? {}, {});
    assert.equal(await read(store, `${prefix}a`), 'second');
  });

  test('the caller may reuse the buffer that was put', async ({ store, prefix }) => {
    const body = bytes('before');
    await answer(store.put(`${prefix}a`, body));
    body.fill(0);
    assert.equal(await read(store, `${prefix}a`), 'before');
  });

  test('each subscribe makes one request', async ({ store, prefix }) => {
    const put = store.put(`${prefix}a`, bytes('x'), { ifNoneMatch: '*' });
    await fails(store.head(`${prefix}a`), 'NotFound');
    await answer(put);
    await fails(put, 'AlreadyExists');
  });

  test('ranges: inside, cut at the end, open, and beyond the end', async ({ store, prefix }) => {
    await answer(store.put(`${prefix}a`, bytes('0123456789')));
    const range = async (start: number, end?: number): Promise<string> => {
      const { info, chunks } = await answer(
        store.get(`${prefix}a`, { range: end === undefined ? { start } : { start, end } }),
      );
      assert.equal(info.size, 10);
      return Buffer.concat(chunks).toString();
    };
    assert.equal(await range(2, 5), '234');
    assert.equal(await range(0, 1), '0');
    assert.equal(await range(7, 100), '789');
    assert.equal(await range(7), '789');
    assert.equal(await range(0), '0123456789');
    assert.equal(await range(10), '');
    assert.equal(await range(10, 20), '');
    assert.equal(await range(1000, 2000), '');
    assert.equal(await range(3, 3), '');
  });

  test('a buffer for the answer does not change it, nor later answers', async ({ store, prefix }) => {
    await answer(store.put(`${prefix}a`, bytes('0123456789')));
    for (const length of [0, 3, 4, 10, 16]) {
      for (const range of [
        { start: 2, end: 6 },
        { start: 8, end: 100 },
        { start: 10, end: 12 },
        { start: 0 },
      ]) {
        const into = Buffer.alloc(length, '.');
        const { chunks } = await answer(store.get(`${prefix}a`, { range, into }));
        const expected = '0123456789'.slice(range.start, range.end);
        assert.equal(Buffer.concat(chunks).toString(), expected);
        assert.ok(
          [expected, ''].some((used) => into.toString() === used.padEnd(length, '.')),
          into.toString(),
        );
      }
    }
  });

  test('what takes the bytes as they come gets all of them, or the answer has them', async ({
    store,
    prefix,
  }) => {
    await answer(store.put(`${prefix}a`, bytes('0123456789')));
    for (const [start, end] of [
      [2, 6],
      [8, 100],
      [10, 12],
    ] as const) {
      const taken = Buffer.alloc(10, '.');
      const put = (chunks: readonly Uint8Array[], at: number): Promise<void> => {
        Buffer.concat(chunks).copy(taken, at);
        return Promise.resolve();
      };
      const { chunks, taken: count } = await answer(
        store.get(`${prefix}a`, { range: { start, end }, take: put }),
      );
      await put(chunks, 0);
      const expected = '0123456789'.slice(start, end);
      assert.equal(taken.toString(), expected.padEnd(10, '.'));
      assert.ok(count === undefined || (count === expected.length && chunks.length === 0));
    }
  });

  test('metadata makes the round trip', async ({ store, prefix }) => {
    const metadata = { 'put-id': 'abc-123', note: 'a b;c="d", e' };
    await answer(store.put(`${prefix}a`, bytes('x'), { metadata }));
    assert.deepEqual((await answer(store.head(`${prefix}a`))).metadata, metadata);
    assert.deepEqual((await answer(store.get(`${prefix}a`))).info.metadata, metadata);
  });

  test('a missing object is NotFound', async ({ store, prefix }) => {
    await fails(store.head(`${prefix}a`), 'NotFound');
    await fails(store.get(`${prefix}a`), 'NotFound');
    await fails(store.get(`${prefix}a`, { range: { start: 1, end: 2 } }), 'NotFound');
    await fails(store.copy(`${prefix}a`, `${prefix}b`), 'NotFound');
  });

  test('a missing bucket is NotFound, and no request creates it', async ({ missing }) => {
    if (missing === undefined) return;
    await fails(missing.put('a', bytes('x')), 'NotFound');
    await fails(missing.list({}), 'NotFound');
    await fails(missing.get('a'), 'NotFound');
    await fails(missing.createUpload('a'), 'NotFound');
    await fails(missing.list({}), 'NotFound');
  });

  test('copy includes body and metadata, and respects ifMatch', async ({ store, prefix }) => {
    const { etag } = await answer(store.put(`${prefix}a`, bytes('x'), { metadata: { n: '1' } }));
    await answer(store.copy(`${prefix}a`, `${prefix}b`, { ifMatch: etag }));
    assert.equal(await read(store, `${prefix}b`), 'x');
    assert.deepEqual((await answer(store.head(`${prefix}b`))).metadata, { n: '1' });
    await answer(store.put(`${prefix}a`, bytes('y')));
    await fails(store.copy(`${prefix}a`, `${prefix}c`, { ifMatch: etag }), 'PreconditionFailed');
    await fails(store.head(`${prefix}c`), 'NotFound');
  });

  test('deletes any number of keys; missing ones are not an error', async ({ store, prefix }) => {
    await answer(store.put(`${prefix}0`, bytes('x')));
    await answer(store.put(`${prefix}2499`, bytes('x')));
    await answer(store.put(`${prefix}keep`, bytes('x')));
    const keys = Array.from({ length: 2500 }, (_, i) => `${prefix}${i}`);
    assert.deepEqual(await answer(store.delete(keys)), []);
    assert.deepEqual(await answer(store.delete([])), []);
    assert.deepEqual(await keysOf(store, { prefix }), [`${prefix}keep`]);
  });

  test('keys are opaque: a and a/b coexist, and nothing is normalized', async ({ store, prefix }) => {
    const keys = [
      'a',
      'a/b',
      'a/',
      'a//',
      'a//b',
      '.',
      '..',
      '../x',
      './x',
      'a/../b',
      'A',
      'a b',
      'a+b',
      'a%20b',
      'a%2Fb',
      '%',
      '%25',
      'a?b#c',
      'é',
      'e\u0301',
      '\u{1f600}',
      '\uffff',
      '\'"&<>',
      '\\',
      '*',
      '~',
      '.millrace',
      '.millrace/x',
      'x%o',
      'x%d/y',
      'x%+',
      'n'.repeat(400),
      `${'n'.repeat(400)}/x`,
      'ü'.repeat(300),
    ];
    for (const key of keys) await answer(store.put(prefix + key, bytes(key)));
    for (const key of keys) assert.equal(await read(store, prefix + key), key);
    assert.deepEqual(new Set(await keysOf(store, { prefix })), new Set(keys.map((key) => prefix + key)));
    assert.deepEqual(await answer(store.delete(keys.map((key) => prefix + key))), []);
    assert.deepEqual(await keysOf(store, { prefix }), []);
  });

  test('keys may start with anything', async ({ store, prefix }) => {
    const keys = ['/lead/', '//', '../up/', './here/', ' space/'].map((start) => `${start}${prefix}`);
    for (const key of keys) await answer(store.put(key, bytes(key)));
    for (const key of keys) {
      assert.equal(await read(store, key), key);
      assert.deepEqual(await keysOf(store, { prefix: key }), [key]);
    }
    assert.deepEqual(await answer(store.delete(keys)), []);
    for (const key of keys) await fails(store.head(key), 'NotFound');
  });

  test('random Unicode keys round-trip and are listed in the order of their bytes', async ({
    store,
    prefix,
    supports,
  }) => {
    const random = seeded(7);
    const keys = new Set<string>();
    while (keys.size < 60) keys.add(prefix + randomKey(random, supports.controlCharacters));
    for (const key of keys) await answer(store.put(key, bytes(key)));
    for (const key of keys) assert.equal(await read(store, key), key);
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(await keysOf(store, { prefix }), sorted);
    assert.deepEqual(await keysOf(store, { prefix, limit: 7 }), sorted);
    assert.deepEqual(await answer(store.delete([...keys])), []);
  });

  test('the longest key is 1,024 bytes', async ({ store, prefix }) => {
    const long = prefix + '/'.repeat(30) + 'k'.repeat(1024 - prefix.length - 30);
    await answer(store.put(long, bytes('x')));
    assert.equal(await read(store, long), 'x');
    await fails(store.put(`${long}k`, bytes('x')), 'InvalidRequest');
  });

  test('unsubscribing ends a request without an answer, and the store continues', async ({
    store,
    prefix,
  }) => {
    await answer(store.put(`${prefix}a`, bytes('x')));
    let answers = 0;
    const count = { next: () => (answers += 1), error: () => (answers += 1) };
    const requests: Observable<unknown>[] = [
      store.get(`${prefix}a`),
      store.put(`${prefix}b`, bytes('y')),
      store.list({ prefix }),
    ];
    const subscriptions = requests.map((request) => request.subscribe(count));
    const synchronous = answers;
    for (const subscription of subscriptions) subscription.unsubscribe();
    assert.equal(await read(store, `${prefix}a`), 'x');
    assert.equal(answers, synchronous);
    const whole = await keysOf(store, { prefix });
    for (const key of whole) assert.match(await read(store, key), /^[xy]$/);
  });
}

function randomKey(random: () => number, controlCharacters: boolean): string {
  const pick = (low: number, high: number): number => low + Math.floor(random() * (high - low));
  const kinds: (() => number)[] = [
    () => pick(0x20, 0x7f),
    () => 0x2f,
    () => 0x2e,
    () => 0x25,
    () => pick(0xa0, 0x800),
    () => pick(0x800, 0xd800),
    () => pick(0xe000, 0xfffe),
    () => pick(0x10000, 0x110000),
    () => (controlCharacters ? pick(0, 0x20) : 0x61),
  ];
  const length = pick(1, 24);
  return Array.from({ length }, () => String.fromCodePoint(kinds[pick(0, kinds.length)]?.() ?? 0x61)).join(
    '',
  );
}
