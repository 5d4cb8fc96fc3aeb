import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { createStores, openObject } from 'millrace/stores';
import { finalize, NEVER, throwError } from 'rxjs';
import { counting } from '../../src/store/decorators/counting.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { StoreError } from '../../src/store/errors.js';
import type { ObjectStore } from '../../src/store/objectStore.js';

const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
const storesOf = (store: ObjectStore) => createStores({ schemes: { memory: () => store } });

function lake(bytes: Uint8Array = content) {
  const { store, counts } = counting(createMemoryStore({ uri: 'memory://lake' }));
  store.put('a', bytes).subscribe();
  return {
    store,
    counts,
    stores: storesOf(store),
    replace: () => store.put('a', Buffer.from('new')).subscribe(),
  };
}
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('openObject', () => {
  test('any reads, with and without a position, give the bytes of the object', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 100 }),
        fc.array(fc.record({ length: fc.nat(40), at: fc.option(fc.nat(120)) }), { maxLength: 12 }),
        async (bytes, reads) => {
          await using object = await openObject('memory://lake/a', { stores: lake(bytes).stores });
          expect(object.size).toBe(bytes.length);
          let next = 0;
          for (const { length, at } of reads) {
            const start = at ?? next;
            const { bytesRead, buffer: into } = await object.read(Buffer.alloc(length), at);
            const expected = bytes.subarray(start, start + length);
            expect(into.subarray(0, bytesRead)).toEqual(Buffer.from(expected));
            if (at === null) next += bytesRead;
          }
        },
      ),
      { numRuns: 50 },
    ));

  test('one HEAD opens it; streams read a range of the same version', async () => {
    const { stores, counts } = lake();
    await using object = await openObject('memory://lake/a', { stores });
    expect(await buffer(object.readable())).toEqual(content);
    expect(await buffer(object.readable({ start: 10, end: 20 }))).toEqual(content.subarray(10, 20));
    expect(await buffer(object.stream())).toEqual(content);
    expect(await buffer(object.stream({ start: 990 }))).toEqual(content.subarray(990));
    expect(counts().requests.head).toBe(1);
  });

  test('an object that is replaced is ObjectChanged for reads and streams, and for another ETag at once', async () => {
    const { stores, replace } = lake();
    await using object = await openObject('memory://lake/a', { stores });
    const { etag } = object;
    replace();
    expect(await codeOf(object.read(Buffer.alloc(1), 0))).toBe('ObjectChanged');
    expect(await codeOf(buffer(object.readable()))).toBe('ObjectChanged');
    expect(await codeOf(buffer(object.stream()))).toBe('ObjectChanged');
    expect(await codeOf(openObject('memory://lake/a', { stores, ifMatch: etag }))).toBe('ObjectChanged');
    await expect(openObject('memory://lake/a', { stores, ifMatch: etag })).rejects.toThrow(
      `memory://lake/a has not the ETag ${JSON.stringify(etag)} of ifMatch. Nothing was read.`,
    );
    expect(await codeOf(openObject('memory://lake/none', { stores }))).toBe('NotFound');
  });

  test('close and an abort end what is pending, and all that follows', async () => {
    const aborted = new AbortController();
    for (const [end, code] of [
      ['close', 'ReaderClosed'],
      ['abort', 'ABORT_ERR'],
    ] as const) {
      let requests = 0;
      const { store } = lake();
      const silent = decorate(store, (call, request) => {
        if (call.method !== 'get') return request;
        requests++;
        return NEVER;
      });
      const { signal } = aborted;
      const object = await openObject('memory://lake/a', { stores: storesOf(silent), signal });
      const pending = [object.read(Buffer.alloc(1), 0), buffer(object.stream())].map(codeOf);
      const readable = object
        .readable()
        .resume()
        .on('error', () => undefined);
      const over = once(readable, 'close');
      while (requests < 3) await new Promise(setImmediate);
      if (end === 'close') await object.close();
      else aborted.abort();
      expect(await Promise.all(pending)).toEqual([code, code]);
      await over;
      expect(await codeOf(object.read(Buffer.alloc(1), 0))).toBe(code);
      expect(await codeOf(buffer(object.stream()))).toBe(code);
      expect(await codeOf(buffer(object.readable()))).toBe(code);
      await object.close();
    }
    expect(await codeOf(openObject('memory://lake/a', { signal: aborted.signal }))).toBe('ABORT_ERR');
  });

  test.each(['is cancelled', 'fails'])(
    'a web stream that %s aborts its requests, while the object is open',
    async (end) => {
      let [requests, aborted] = [0, 0];
      const { store } = lake(Buffer.alloc(12 << 20));
      const silent = decorate(store, (call, request) => {
        if (call.method !== 'get') return request;
        if (++requests === 1 && end === 'fails') return throwError(() => new StoreError('Integrity', 'No.'));
        return NEVER.pipe(finalize(() => aborted++));
      });
      const object = await openObject('memory://lake/a', { stores: storesOf(silent) });
      const reader = object.stream().getReader();
      const pending = codeOf(reader.read());
      while (requests < 2) await new Promise(setImmediate);
      if (end === 'is cancelled') await reader.cancel();
      expect(await pending).toBe(end === 'fails' ? 'Integrity' : 'done');
      expect(aborted).toBe(end === 'fails' ? requests - 1 : requests);
      await object.close();
    },
  );

  test('it is closed when its scope ends', async () => {
    const { stores } = lake();
    let left;
    {
      await using object = await openObject('memory://lake/a', { stores });
      left = object;
    }
    expect(await codeOf(left.read(Buffer.alloc(1), 0))).toBe('ReaderClosed');
  });

  test('unknown options are refused', async () => {
    expect(await codeOf(openObject('memory://lake/a', { etag: 'x' } as never))).toBe('InvalidOption');
    expect(await codeOf(openObject('memory://lake/a', { signal: 1 } as never))).toBe('InvalidOption');
  });
});
