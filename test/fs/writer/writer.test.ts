import fc from 'fast-check';
import { concat, from, ignoreElements, lastValueFrom, NEVER, of, Subject, throwError } from 'rxjs';
import { writeObject } from '../../../src/fs/writer/index.js';
import type { WriteBody, WriteOptions } from '../../../src/fs/types.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { delayed } from '../../../src/store/decorators/delay.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import { StoreError } from '../../../src/store/errors.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { seeded } from '../../simulation/random.js';

const MiB = 2 ** 20;
const partSize = 5 * MiB;
const blob = (size: number, salt = 1): Buffer => {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 4099) bytes[i] = (i * salt) & 255;
  return bytes;
};
const chunked = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

const write = (store: ObjectStore, body: WriteBody, options: WriteOptions = {}, key = 'o.json') =>
  writeObject({ store, key, uri: `memory://t/${key}` }, body, { partSize, ...options });
const read = async (store: ObjectStore, key = 'o.json') =>
  Buffer.concat((await lastValueFrom(store.get(key))).chunks);
const uploads = async (store: ObjectStore) =>
  (await lastValueFrom(store.listUploads({ prefix: '' }))).uploads;
const code = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as StoreError).code,
  );

describe('writing an object', () => {
  it.each([
    ['nothing', 0, { put: 1 }],
    ['a few bytes', 10, { put: 1 }],
    ['exactly a part', partSize, { put: 1 }],
    ['one byte more', partSize + 1, { createUpload: 1, uploadPart: 2, completeUpload: 1 }],
    ['three parts', 3 * partSize, { createUpload: 1, uploadPart: 3, completeUpload: 1 }],
  ])('of %s takes the fewest requests, for any kind of body', async (_, size, requests) => {
    const bytes = blob(size);
    const bodies: WriteBody[] = [
      bytes,
      chunked(bytes, 777_777),
      (async function* () {
        for (const chunk of chunked(bytes, MiB)) {
          await Promise.resolve();
          yield chunk;
        }
      })(),
      from(chunked(bytes, 65_536)),
    ];
    for (const body of bodies) {
      const { store, counts } = counting(createMemoryStore());
      const written = await lastValueFrom(write(store, body));
      expect(counts().requests).toEqual(requests);
      expect(written).toMatchObject({ size, modified: true, uri: 'memory://t/o.json' });
      expect((await read(store)).equals(bytes)).toBe(true);
      const info = await lastValueFrom(store.head('o.json'));
      expect([info.etag, info.content?.type]).toEqual([written.etag, 'application/json']);
    }
  });

  it('copies chunks that may change: a buffer can be reused', async () => {
    const store = createMemoryStore();
    const buffer = Buffer.alloc(MiB);
    const body = function* () {
      for (let i = 0; i < 12; i++) yield buffer.fill(i);
    };
    await lastValueFrom(write(store, body()));
    const bytes = await read(store);
    expect(Array.from({ length: 12 }, (_, i) => bytes[i * MiB])).toEqual([...Array(12).keys()]);
  });

  it('is invisible before the end, and holds the body back while parts are in flight', async () => {
    const clock = new SimulatedClock();
    const inner = createMemoryStore();
    const store = delayed(inner, { clock, before: ({ method }) => (method === 'uploadPart' ? 1000 : 0) });
    let given = 0;
    const body = (async function* () {
      for (; given < 40; given++) {
        await Promise.resolve();
        yield blob(MiB);
      }
    })();
    const done = lastValueFrom(write(store, body, { inFlight: 2 }));
    const promised = () => new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 50; i++) await promised();
    // Two parts in flight, one waiting, and the chunk that did not fit.
    expect(given).toBe(15);
    expect(await code(lastValueFrom(inner.head('o.json')))).toBe('NotFound');
    let over = false;
    void done.then(() => (over = true));
    while (!over) {
      clock.step();
      await promised();
    }
    expect((await read(inner)).length).toBe(40 * MiB);
  });

  it('that is unsubscribed leaves nothing, even while the upload is just being created', () => {
    for (let steps = 0; steps < 12; steps++) {
      const clock = new SimulatedClock();
      const inner = createMemoryStore();
      const store = delayed(inner, { clock, before: () => 10 });
      const body = concat(from(chunked(blob(2 * partSize + 1), MiB)), NEVER);
      const subscription = write(store, body).subscribe();
      for (let i = 0; i < steps; i++) clock.step();
      subscription.unsubscribe();
      clock.run();
      expect(now(inner)).toEqual({ uploads: 0, object: undefined });
    }
  });

  it('that fails leaves nothing, and keeps the previous object', async () => {
    const store = createMemoryStore();
    await lastValueFrom(store.put('o.json', Buffer.from('old')));
    const body = concat(
      of(blob(2 * partSize + 1)),
      throwError(() => new Error('no more')),
    );
    await expect(lastValueFrom(write(store, body))).rejects.toThrow('no more');
    expect(await uploads(store)).toEqual([]);
    expect((await read(store)).toString()).toBe('old');
  });

  it('under faults: the whole object, or an error and the previous one; never an upload left, never two versions', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.nat(),
          parts: fc.constantFrom(0, 1, 2.5),
          before: fc.constantFrom(0, 0.2),
          after: fc.constantFrom(0, 0.2, 0.6),
          there: fc.boolean(),
          condition: fc.constantFrom('none', 'create', 'replace'),
        }),
        ({ seed, parts, before, after, there, condition }) => {
          const clock = new SimulatedClock();
          const random = seeded(seed);
          const inner = createMemoryStore();
          if (there) inner.put('o.json', Buffer.from('old')).subscribe();
          // Cleaning up and creating is tried again by others; here it is about what publishes.
          const publishing = ['put', 'uploadPart', 'completeUpload', 'head'];
          const store = faulty(inner, {
            random,
            before,
            after,
            only: ({ method }) => publishing.includes(method),
          });
          const body = blob(Math.floor(parts * partSize), 7);
          const options: WriteOptions =
            condition === 'create'
              ? { assumeObjectNotExists: true }
              : condition === 'replace'
                ? { preventConcurrentOverwrite: true }
                : {};
          let result: unknown;
          writeObject({ store, key: 'o.json', uri: 'u', clock, random }, body, {
            partSize,
            ...options,
          }).subscribe({
            next: () => (result = 'written'),
            error: (error: unknown) => (result = (error as StoreError).code),
          });
          clock.run();
          expect(result).toBeDefined();
          const after_ = now(inner);
          expect(after_.uploads).toBe(0);
          if (result === 'written') expect(after_.object?.equals(body)).toBe(true);
          else if (condition === 'create' && there) {
            expect(after_.object?.toString()).toBe('old');
            expect(['AlreadyExists', 'Unavailable']).toContain(result);
          } else expect(result).toBe('Unavailable');
          if (before + after === 0)
            expect(result).toBe(condition === 'create' && there ? 'AlreadyExists' : 'written');
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('open options', () => {
  it.each([10, partSize + 1])(
    'assumeObjectNotExists: of several writers of %d bytes one wins',
    async (size) => {
      const store = createMemoryStore();
      const outcomes = await Promise.all(
        [1, 2, 3].map((salt) =>
          code(lastValueFrom(write(store, blob(size, salt), { assumeObjectNotExists: true }))),
        ),
      );
      expect(outcomes.sort()).toEqual(['AlreadyExists', 'AlreadyExists', 'done']);
      expect(await uploads(store)).toEqual([]);
    },
  );

  it.each([10, partSize + 1])(
    'preventConcurrentOverwrite: %d bytes over an object that has changed meanwhile are refused',
    async (size) => {
      const store = createMemoryStore();
      await lastValueFrom(store.put('o.json', Buffer.from('old')));
      const body = new Subject<Buffer>();
      const writing = code(lastValueFrom(write(store, body, { preventConcurrentOverwrite: true })));
      body.next(blob(size));
      await lastValueFrom(store.put('o.json', Buffer.from('theirs')));
      body.complete();
      expect(await writing).toBe('PreconditionFailed');
      expect((await read(store)).toString()).toBe('theirs');
      expect(await uploads(store)).toEqual([]);
    },
  );

  it.each([0, 10, 2 * partSize + 1])(
    'putOnlyIfModified: %d identical bytes are not written again',
    async (size) => {
      const { store, counts, reset } = counting(createMemoryStore());
      const first = await lastValueFrom(write(store, blob(size), { putOnlyIfModified: true }));
      expect(first.modified).toBe(true);
      reset();
      const again = await lastValueFrom(write(store, chunked(blob(size), MiB), { putOnlyIfModified: true }));
      expect(again).toEqual({ ...first, modified: false });
      const { put, completeUpload, get } = counts().requests;
      expect([put, completeUpload, get]).toEqual([undefined, undefined, undefined]);
      expect(await uploads(store)).toEqual([]);
      const other = await lastValueFrom(write(store, blob(size + 1, 3), { putOnlyIfModified: true }));
      expect(other.modified).toBe(true);
    },
  );

  it('integrityCheck: data that was changed on the way never becomes visible', async () => {
    const inner = createMemoryStore();
    const store: ObjectStore = {
      ...decorate(inner, (_, run) => run),
      uploadPart: (key, uploadId, number, body) =>
        inner.uploadPart(
          key,
          uploadId,
          number,
          Buffer.from(body).map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
        ),
    };
    expect(await code(lastValueFrom(write(store, 'hello', { integrityCheck: true })))).toBe('Integrity');
    expect(now(inner)).toEqual({ uploads: 0, object: undefined });
    await lastValueFrom(write(inner, 'hello', { integrityCheck: true }));
    expect((await read(inner)).toString()).toBe('hello');
  });

  it('after a lost answer to Complete, a foreign object in its place is not taken for ours', async () => {
    const inner = createMemoryStore();
    const store: ObjectStore = {
      ...decorate(inner, (_, run) => run),
      completeUpload: (key, uploadId) =>
        concat(
          inner.abortUpload(key, uploadId),
          inner.put(key, blob(partSize + 1, 9)),
          throwError(() => new StoreError('NotFound', 'gone')),
        ).pipe(ignoreElements()),
    };
    expect(await code(lastValueFrom(write(store, blob(partSize + 1, 2))))).toBe('NotFound');
  });
});

/** The content of a memory store, synchronously. */
function now(store: ObjectStore): { uploads: number; object: Buffer | undefined } {
  let count = -1;
  let object: Buffer | undefined;
  store.listUploads({ prefix: '' }).subscribe((page) => (count = page.uploads.length));
  store.get('o.json').subscribe({
    next: ({ chunks }) => (object = Buffer.concat(chunks)),
    error: () => undefined,
  });
  return { uploads: count, object };
}
