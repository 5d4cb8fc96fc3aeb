/** What a bulk copy promises beyond copying: nothing waits for the slowest object, and nothing is sent twice. */
import { lastValueFrom, NEVER, Observable, of, tap, throwError } from 'rxjs';
import { createOperations } from '../../../../src/fs/operations/index.js';
import {
  counting,
  createStores,
  decorate,
  StoreError,
  type StoreCall,
} from '../../../../src/entries/stores.js';
import { delayed } from '../../../../src/testing/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import type { ObjectInfo, ObjectStore, UploadedPart } from '../../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../../src/testing/simulatedClock.js';
import { all, bytes, content, errorOf, filled, MiB, operationsOn, shown, uploadsOf } from '../../support.js';

/** A store some of whose requests are never answered. */
const stalling = (store: ObjectStore, stalls: (call: StoreCall) => boolean): ObjectStore =>
  decorate(store, <T>(call: StoreCall, run: Observable<T>) => (stalls(call) ? NEVER : run));

describe('an object that stalls', () => {
  const others = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`d/${100 + i}`, `${i}`]));

  test.each([
    ['small', 'x'],
    ['of many parts', bytes(80 * MiB)],
  ])('does not delay the others: %s, and first of all', async (_, body) => {
    const a = stalling(
      await filled({ 'd/0': body, ...others }),
      ({ method, key }) => method === 'get' && key === 'd/0',
    );
    const b = createMemoryStore();
    const seen: number[] = [];
    const running = operationsOn({ a, b })
      .bulkCopy({ from: 'memory://a/d/', to: 'memory://b/d/' }, { concurrency: 4 })
      .subscribe(({ objects }) => seen.push(objects.done));
    expect(seen.at(-1)).toBe(60);
    running.unsubscribe();
  });

  test('leaves slots for objects of a slower listing', async () => {
    const a = stalling(
      await filled({ 'd/0': bytes(80 * MiB), ...others }),
      ({ method, key }) => method === 'get' && key === 'd/0',
    );
    let release = (): void => undefined;
    const late = decorate(a, <T>(call: StoreCall, run: Observable<T>) =>
      call.method === 'list' && call.key === 'd/1'
        ? new Observable<T>((out) => {
            release = () => out.add(run.subscribe(out));
          })
        : run,
    );
    const b = createMemoryStore();
    let done = 0;
    const running = operationsOn({ a: late, b })
      .bulkCopy(
        [
          { from: 'memory://a/d/0', to: 'memory://b/0' },
          { from: 'memory://a/d/1*', to: 'memory://b/d/' },
        ],
        { concurrency: 4 },
      )
      .subscribe(({ objects }) => (done = objects.done));
    expect(done).toBe(0);
    release();
    expect(done).toBe(60);
    running.unsubscribe();
  });
});

describe('limits', () => {
  /** The most requests that were ever in flight; they are answered one after the other, by `run`. */
  function metered() {
    const open = { requests: 0, most: 0 };
    const waiting: (() => void)[] = [];
    const around = (store: ObjectStore): ObjectStore =>
      decorate(
        store,
        <T>(_: StoreCall, run: Observable<T>) =>
          new Observable<T>((out) => {
            open.requests += 1;
            open.most = Math.max(open.most, open.requests);
            let over = false;
            const end = (): void => {
              if (!over) open.requests -= 1;
              over = true;
            };
            // What follows from an answer comes after the request.
            waiting.push(() => out.add(run.pipe(tap({ next: end })).subscribe(out)));
            return end;
          }),
      );
    return {
      open,
      around,
      run: () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next();
      },
    };
  }

  test('at most `concurrency` requests, apart from listings', async () => {
    const { open, around, run } = metered();
    const a = await filled(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`d/${i}`, 'x'])));
    const b = createMemoryStore();
    let last: unknown;
    operationsOn({ a: around(a), b: around(b) })
      .bulkCopy({ from: 'memory://a/d/', to: 'memory://b/d/' }, { concurrency: 5 })
      .subscribe((progress) => (last = progress.objects));
    run();
    expect(last).toEqual({ done: 40, total: 40 });
    expect(open).toEqual({ requests: 0, most: 5 });
  });

  test('parts take at most `memory`', async () => {
    const { open, around, run } = metered();
    const a = await filled({ big: bytes(60 * MiB) });
    const b = createMemoryStore();
    operationsOn({ a: around(a), b: around(b) })
      .bulkCopy(
        { from: 'memory://a/big', to: 'memory://b/big' },
        { concurrency: 8, partSize: '5MiB', memory: '15MiB' },
      )
      .subscribe();
    run();
    expect(open).toEqual({ requests: 0, most: 3 });
    expect(await content(b)).toEqual({ big: shown(bytes(60 * MiB)) });
  });

  /** Copies two objects of six parts each, three requests at a time; which memory each read of a part was given. */
  async function memoryOfParts(fails: (call: StoreCall) => boolean) {
    const a = await filled({ 'd/0': bytes(30 * MiB), 'd/1': bytes(30 * MiB) });
    const given: { readonly part: string; readonly into: Uint8Array | undefined }[] = [];
    const reading: ObjectStore = {
      ...decorate(a, (_, run) => run),
      get: (key, options) => {
        given.push({ part: `${key} from ${(options?.range?.start ?? 0) / MiB} MiB`, into: options?.into });
        return a.get(key, options);
      },
    };
    const writing = decorate(createMemoryStore(), <T>(call: StoreCall, run: Observable<T>) =>
      fails(call) ? throwError(() => new StoreError('Unavailable', 'No.')) : run,
    );
    const later = { before: () => 1, clock: new SimulatedClock() };
    let outcome: unknown;
    operationsOn({ a: delayed(reading, later), b: delayed(writing, later) })
      .bulkCopy({ from: 'memory://a/d/', to: 'memory://b/d/' }, { concurrency: 3, partSize: '5MiB' })
      .subscribe({ error: (error: unknown) => (outcome = error), complete: () => (outcome = 'done') });
    later.clock.run();
    return { given, outcome };
  }

  test('the memory of an uploaded part is reused', async () => {
    const { given, outcome } = await memoryOfParts(() => false);
    expect(outcome).toBe('done');
    expect(given.map(({ into }) => into?.length)).toEqual(Array.from({ length: 12 }, () => 5 * MiB));
    expect(new Set(given.map(({ into }) => into)).size).toBe(3);
  });

  test('the memory of a failed part is not reused: the store may still read it', async () => {
    const { given, outcome } = await memoryOfParts(
      ({ method, key, body }) =>
        method === 'uploadPart' && key === 'd/0' && body?.[0] === bytes(6 * MiB)[5 * MiB],
    );
    expect(outcome).toMatchObject({ code: 'CopyFailed' });
    const of = (part: string): Uint8Array | undefined => given.find((one) => one.part === part)?.into;
    expect(of('d/0 from 5 MiB')).toBeDefined();
    expect(given.filter(({ into }) => into === of('d/0 from 5 MiB'))).toHaveLength(1);
    expect(given.some(({ part }) => part === 'd/1 from 25 MiB')).toBe(true);
  });

  test('`s3.bulk-copy.enabled: false` copies one object at a time, `s3.async.enabled: false` makes one request at a time', async () => {
    for (const [transfer, most] of [
      [{ bulkCopy: { enabled: false } }, 1],
      [{ parallel: false }, 1],
      [{ bulkCopy: { concurrency: 3 } }, 3],
    ] as const) {
      const { open, around, run } = metered();
      const a = await filled({ 'd/1': 'x', 'd/2': 'y', 'd/3': 'z', 'd/4': 'u' });
      operationsOn({ a: around(a), b: around(createMemoryStore()) }, transfer)
        .bulkCopy({ from: 'memory://a/d/', to: 'memory://b/d/' })
        .subscribe();
      run();
      expect(open).toEqual({ requests: 0, most });
    }
  });

  test.each([
    [{ concurrency: 0 }, 'concurrency'],
    [{ partSize: '1MiB' }, 'partSize'],
    [{ partSize: '6GiB' }, 'partSize'],
    [{ memory: '1MiB' }, 'memory'],
  ])('%j is refused', async (options, key) => {
    const error = await errorOf(
      operationsOn({}).bulkCopy({ from: 'memory://a/x', to: 'memory://a/y' }, options),
    );
    expect(error).toMatchObject({ code: 'InvalidOption', key });
  });
});

test('existing objects are found by listings in parallel', async () => {
  const keys = Array.from({ length: 2500 }, (_, i) => `${10_000 + i}`);
  const a = await filled(Object.fromEntries(keys.map((key) => [`d/${key}`, 'x'])));
  const b = await filled(
    Object.fromEntries(
      keys.slice(3).flatMap((key) => [
        [`e/${key}`, 'x'],
        [`f/${key}`, 'x'],
      ]),
    ),
  );
  const [from, to] = [counting(a), counting(b)];
  const { bulkCopy } = operationsOn({ a: from.store, b: to.store });
  const progress = await all(bulkCopy({ from: 'memory://a/d/', to: 'memory://b/e/' }));
  expect(progress.at(-1)).toMatchObject({ objects: { done: 2500 }, skipped: { objects: 2497 } });
  expect(from.counts().requests).toEqual({ list: 3, get: 3 });
  const { head = 0, ...others } = to.counts().requests;
  expect(others).toEqual({ list: 3, put: 3 });
  // Where one page ends before the other.
  expect(head).toBeLessThan(10);
});

describe('resume', () => {
  const big = bytes(40 * MiB);
  const pair = { from: 'memory://a/big', to: 'memory://b/d/big' };

  /** A copy that is interrupted when three of five parts have arrived. */
  async function interrupted(options: { readonly resume?: string } = {}) {
    const a = await filled({ big });
    const b = createMemoryStore({ completeSubset: false });
    const broken = decorate(b, <T>(call: StoreCall, run: Observable<T>) => {
      if (call.method === 'uploadPart') parts += 1;
      return call.method === 'uploadPart' && parts > 3 ? NEVER : run;
    });
    let parts = 0;
    operationsOn({ a, b: broken })
      .bulkCopy(pair, { concurrency: 2, ...options })
      .subscribe()
      .unsubscribe();
    const [from, to] = [counting(a), counting(b)];
    return { a, b, from, to, ...operationsOn({ a: from.store, b: to.store }) };
  }

  test('sends the missing parts, and none twice', async () => {
    const { from, to, bulkCopy, b } = await interrupted();
    const progress = await all(bulkCopy(pair));
    expect(to.counts().requests).toMatchObject({ uploadPart: 2, completeUpload: 1 });
    expect(to.counts().requests.createUpload).toBeUndefined();
    expect(to.counts().bytesUp).toBe(16 * MiB);
    expect(from.counts().bytesDown).toBe(16 * MiB);
    expect(progress.at(-1)).toMatchObject({
      objects: { done: 1, total: 1 },
      bytes: { done: 40 * MiB, total: 40 * MiB },
      skipped: { objects: 0, bytes: 24 * MiB },
    });
    expect(await content(b)).toEqual({ 'd/big': shown(big) });
    expect(await uploadsOf(b)).toEqual([]);
  });

  test('starts over if the source has changed, and drops the uploaded parts', async () => {
    const { a, b, to, bulkCopy } = await interrupted();
    const other = bytes(40 * MiB, 1);
    await lastValueFrom(a.put('big', other));
    await all(bulkCopy(pair));
    expect(to.counts().requests).toMatchObject({ uploadPart: 5, createUpload: 1, abortUpload: 1 });
    expect(await content(b)).toEqual({ 'd/big': shown(other) });
    expect(await uploadsOf(b)).toEqual([]);
  });

  test('starts over if the upload was aborted', async () => {
    const { b, to, bulkCopy } = await interrupted();
    const { uploads } = await lastValueFrom(b.listUploads({ prefix: '' }));
    await lastValueFrom(b.abortUpload('d/big', uploads[0]!.uploadId), { defaultValue: undefined });
    await all(bulkCopy(pair));
    expect(to.counts().requests).toMatchObject({ uploadPart: 5, createUpload: 1 });
    expect(await content(b)).toEqual({ 'd/big': shown(big) });
  });

  test('writes its resume files to the given directory', async () => {
    const { a, b, to, bulkCopy } = await interrupted({ resume: 'memory://a/notes' });
    expect(Object.keys(await content(b))).toEqual([]);
    expect(Object.keys(await content(a))).toEqual([
      'big',
      expect.stringMatching(/^notes\/[0-9a-f]{32}\.json$/),
    ]);
    await all(bulkCopy(pair, { resume: 'memory://a/notes' }));
    expect(to.counts().requests).toMatchObject({ uploadPart: 2 });
    expect(Object.keys(await content(a))).toEqual(['big']);
  });

  test('abortUploads removes the resume file, too', async () => {
    const { b, abortUploads } = await interrupted();
    expect(Object.keys(await content(b))).toEqual(['d/.big.millrace-partial']);
    await all(abortUploads('memory://b/d/', { olderThan: 0 }));
    expect(await content(b)).toEqual({});
    expect(await uploadsOf(b)).toEqual([]);
  });

  test('a Complete whose answer is lost is found to have succeeded', async () => {
    const a = await filled({ big });
    const b = createMemoryStore();
    const lossy: ObjectStore = {
      ...decorate(b, (_, run) => run),
      completeUpload: (...args) =>
        new Observable((out) =>
          b.completeUpload(...args).subscribe({
            complete: () => out.error(new StoreError('Unavailable', 'The answer was lost.')),
          }),
        ),
    };
    const progress = await all(operationsOn({ a, b: lossy }).bulkCopy(pair));
    expect(progress.at(-1)).toMatchObject({ objects: { done: 1, total: 1 } });
    expect(await content(b)).toEqual({ 'd/big': shown(big) });
  });
});

describe('above 5 GiB, on one server', () => {
  test('parts are copied in parallel, each pinned to the version of the source', async () => {
    const size = 6 * 1024 * MiB + 1;
    const described = { metadata: { owner: 'me' }, content: { type: 'text/x' } };
    const info: ObjectInfo = { key: 'big', size, etag: 'tag', modified: 0, ...described };
    const memory = createMemoryStore();
    const asked: unknown[] = [];
    let under = 0;
    let most = 0;
    const store: ObjectStore = {
      ...decorate(memory, (_, run) => run),
      list: () => of({ objects: [info], prefixes: [] }),
      head: () => of(info),
      copy: () => {
        throw new Error('More than 5 GiB.');
      },
      createUpload: (_, options) => {
        asked.push(options);
        return of({ uploadId: 'id' });
      },
      copyPart: (_key, _id, number, { key, range, ifMatch }) =>
        new Observable<UploadedPart>((out) => {
          most = Math.max(most, ++under);
          asked.push({ key, range, ifMatch });
          setImmediate(() => {
            out.next({ number, etag: 'part', size: (range?.end ?? 0) - (range?.start ?? 0) });
            out.complete();
          });
          return () => (under -= 1);
        }),
      completeUpload: (_key, _id, parts) => {
        asked.push(parts.reduce((sum, part) => sum + part.size, 0));
        return of({ etag: 'done' });
      },
    };
    const s3 = createStores({ schemes: { s3: () => store } });
    await all(createOperations({ stores: s3 }).copy('s3://lake/big', 's3://lake/other'));
    expect(asked[0]).toMatchObject(described);
    const ranges = asked.slice(1, -1);
    expect(ranges).toHaveLength(25);
    expect(ranges[0]).toEqual({ key: 'big', range: { start: 0, end: 256 * MiB }, ifMatch: 'tag' });
    expect(ranges).toContainEqual({
      key: 'big',
      range: { start: 24 * 256 * MiB, end: size },
      ifMatch: 'tag',
    });
    expect(asked.at(-1)).toBe(size);
    expect(most).toBeGreaterThan(4);
  });
});
