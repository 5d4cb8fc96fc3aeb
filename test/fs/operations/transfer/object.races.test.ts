/** Another client writes at the same time, or permissions were removed. */
import { concatMap, lastValueFrom, map, of, throwError, type Observable } from 'rxjs';
import { createOperations } from '../../../../src/fs/operations/index.js';
import { counting, decorate, StoreError, type StoreCall } from '../../../../src/entries/stores.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../../src/store/objectStore.js';
import type { StoreLocation } from '../../../../src/store/services.js';
import { all, bytes, content, errorOf, filled, MiB, operationsOn, uploadsOf } from '../../support.js';

/** Does something else to the store right after the first matching request. */
function after(
  store: ObjectStore,
  meant: (call: StoreCall) => boolean,
  then: () => Observable<unknown>,
): ObjectStore {
  let done = false;
  return decorate(store, (call, run) => {
    if (done || !meant(call)) return run;
    done = true;
    return run.pipe(concatMap((answer) => then().pipe(map(() => answer))));
  });
}

describe('a source that changes', () => {
  test.each([
    ['on one server', 'a'],
    ['between stores', 'b'],
  ])('between listing and copying is an error, %s', async (_, target) => {
    const a = await filled({ x: 'old' });
    const b = createMemoryStore();
    const changing = after(
      a,
      ({ method }) => method === 'list',
      () => a.put('x', Buffer.from('new')),
    );
    const { copy } = operationsOn({ a: changing, b });
    expect(await errorOf(copy('memory://a/x', `memory://${target}/y`))).toMatchObject({
      code: 'PreconditionFailed',
    });
    expect([await content(a), await content(b)]).toEqual([{ x: 'new' }, {}]);
  });

  test('while it is copied in parts is an error, and the copy leaves nothing', async () => {
    const a = await filled({ x: bytes(20 * MiB) });
    const b = createMemoryStore();
    const changing = after(
      a,
      ({ method }) => method === 'get',
      () => a.put('x', bytes(20 * MiB, 1)),
    );
    const { bulkCopy } = operationsOn({ a: changing, b });
    expect(await errorOf(bulkCopy({ from: 'memory://a/x', to: 'memory://b/x' }))).toMatchObject({
      code: 'CopyFailed',
      failures: [{ uri: 'memory://a/x', error: { code: 'PreconditionFailed' } }],
    });
    expect([await content(b), await uploadsOf(b)]).toEqual([{}, []]);
  });

  test('after it was copied is not removed: an object', async () => {
    const a = await filled({ x: 'old' });
    const changing = after(
      a,
      ({ method }) => method === 'copy',
      () => a.put('x', Buffer.from('new')),
    );
    expect(await errorOf(operationsOn({ a: changing }).move('memory://a/x', 'memory://a/y'))).toMatchObject({
      code: 'NotVerified',
    });
    expect(await content(a)).toEqual({ x: 'new', y: 'old' });
  });

  test('after it was copied is not removed: in a directory, where the others are', async () => {
    const a = await filled({ 'd/x': 'old', 'd/y': 'same' });
    const changing = after(
      a,
      ({ method, key }) => method === 'copy' && key === 'e/x',
      () => a.put('d/x', Buffer.from('new')),
    );
    expect(await errorOf(operationsOn({ a: changing }).move('memory://a/d/', 'memory://a/e/'))).toMatchObject(
      {
        code: 'RemoveFailed',
        failures: [{ uri: 'memory://a/d/x', error: { code: 'NotVerified' } }],
      },
    );
    expect(await content(a)).toEqual({ 'd/x': 'new', 'e/x': 'old', 'e/y': 'same' });
  });

  test('or is removed, after it was copied, is moved', async () => {
    const a = await filled({ x: '1', 'd/x': '2' });
    const losing = (key: string) =>
      after(
        a,
        ({ method }) => method === 'copy',
        () => a.delete([key]),
      );
    await all(operationsOn({ a: losing('x') }).move('memory://a/x', 'memory://a/y'));
    await all(operationsOn({ a: losing('d/x') }).move('memory://a/d/', 'memory://a/e/'));
    expect(await content(a)).toEqual({ y: '1', 'e/x': '2' });
  });
});

test.each([
  ['an object', 'x', 'y'],
  ['a directory', 'd/', 'y/'],
])('a target that is overwritten by another client keeps the source: %s', async (_, from, to) => {
  const a = await filled({ x: 'old', 'd/x': 'old' });
  const target = to === 'y' ? 'y' : 'y/x';
  const changing = after(
    a,
    ({ method }) => method === 'copy',
    () => a.put(target, Buffer.from('else')),
  );
  expect(
    await errorOf(operationsOn({ a: changing }).move(`memory://a/${from}`, `memory://a/${to}`)),
  ).toMatchObject({
    code: 'NotVerified',
  });
  expect(await content(a)).toMatchObject({ x: 'old', 'd/x': 'old', [target]: 'else' });
});

describe('an identical target', () => {
  /** A target of the same size whose ETag cannot be compared: it was written in parts. */
  async function target(modified: number) {
    const store = createMemoryStore({ clock: { now: () => modified }, minimumPartSize: 1 });
    const { uploadId } = await lastValueFrom(store.createUpload('x'));
    const part = await lastValueFrom(store.uploadPart('x', uploadId, 1, Buffer.from('abc')));
    await lastValueFrom(store.completeUpload('x', uploadId, [part]));
    return store;
  }
  const pair = { from: 'memory://a/x', to: 'memory://b/x' };

  test.each([
    ['is left alone if it is not older', 1000, { requests: {}, objects: 1 }],
    ['is written if it is older', 999, { requests: { put: 1 }, objects: 0 }],
  ])('%s', async (_, modified, { requests, objects }) => {
    const a = await filled({ x: 'abc' }, createMemoryStore({ clock: { now: () => 1000 } }));
    const b = counting(await target(modified));
    const progress = await all(operationsOn({ a, b: b.store }).bulkCopy(pair));
    expect(b.counts().requests).toEqual({ head: 1, ...requests });
    expect(progress.at(-1)).toMatchObject({ objects: { done: 1, total: 1 }, skipped: { objects } });
  });

  test('is written anyway if requested', async () => {
    const a = await filled({ x: 'abc' });
    const b = counting(await filled({ x: 'abc' }));
    await all(operationsOn({ a, b: b.store }).bulkCopy(pair, { skipSame: false }));
    expect(b.counts().requests).toEqual({ put: 1 });
  });
});

test('credentials that may only write copy without requests for the target', async () => {
  const a = await filled({ 'd/x': '1', 'd/big': bytes(9 * MiB) });
  const b = createMemoryStore();
  const refused = throwError(() => new StoreError('PermissionDenied', 'No.', { status: 403 }));
  const blind = decorate(b, (call, run) =>
    ['list', 'head', 'get', 'delete'].includes(call.method) || call.key.endsWith('.millrace-partial')
      ? refused
      : run,
  );
  await all(operationsOn({ a, b: blind }).bulkCopy({ from: 'memory://a/d/', to: 'memory://b/' }));
  expect(Object.keys(await content(b))).toEqual(['big', 'x']);
});

test('two buckets of one server copy on it', async () => {
  const server = {};
  const asked: unknown[] = [];
  const a = await filled({ x: '1' });
  const b: ObjectStore = {
    ...decorate(createMemoryStore(), (_, run) => run),
    copy: (...args) => {
      asked.push(args);
      return of({ etag: 'e' });
    },
  };
  const stores = { a, b };
  const open = (uri: string): StoreLocation => {
    const { hostname: bucket, pathname } = new URL(uri);
    const store = stores[bucket as keyof typeof stores];
    return {
      store,
      reserved: store,
      bucket,
      server,
      key: pathname.slice(1),
      capabilities: throwError(() => new Error()),
    };
  };
  await all(createOperations({ stores: { open } }).copy('s3://a/x', 's3://b/y'));
  const { etag } = await lastValueFrom(a.head('x'));
  expect(asked).toEqual([['x', 'y', { ifMatch: etag, bucket: 'a' }]]);
});

test('an upload that cannot be aborted does not delay the others', async () => {
  const a = createMemoryStore();
  for (const key of ['x', 'y']) await lastValueFrom(a.createUpload(key));
  const stubborn = decorate(a, (call, run) =>
    call.method === 'abortUpload' && call.key === 'x'
      ? throwError(() => new StoreError('PermissionDenied', 'No.'))
      : run,
  );
  expect(
    await errorOf(operationsOn({ a: stubborn }).abortUploads('memory://a/', { olderThan: 0 })),
  ).toMatchObject({
    code: 'AbortFailed',
    failures: [{ uri: 'memory://a/x' }],
  });
  expect(await uploadsOf(a)).toEqual(['x']);
});

describe('`overwrite: false` and a faster writer', () => {
  test.each([
    ['small', 'x', 'a'],
    ['small', 'x', 'b'],
    ['of several parts', 'big', 'a'],
    ['of several parts', 'big', 'b'],
  ])('%s', async (_, name, bucket) => {
    const body = { x: 'x', big: bytes(9 * MiB) };
    const a = await filled(body);
    const b = createMemoryStore();
    const target = bucket === 'a' ? a : b;
    const theirs = (): Observable<unknown> => target.put('y', Buffer.from('theirs'));
    const faster = after(a, ({ method }) => method === 'get' || method === 'copyPart', theirs);
    const { copy } = operationsOn({ a: faster, b });
    expect(
      await errorOf(copy(`memory://a/${name}`, `memory://${bucket}/y`, { overwrite: false })),
    ).toMatchObject({ code: 'AlreadyExists' });
    expect(await content(target)).toMatchObject({ y: 'theirs' });
    expect(await uploadsOf(target)).toEqual([]);
  });
});
