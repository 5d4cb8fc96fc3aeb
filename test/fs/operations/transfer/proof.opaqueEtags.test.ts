/** Under KMS an ETag does not depend on bytes: what was written is proven by other means, over the wire. */
import { AsyncSubject, lastValueFrom, map, tap } from 'rxjs';
import { decorate, type Around } from '../../../../src/store/decorators/decorate.js';
import { StoreError } from '../../../../src/store/errors.js';
import { createOperations, type Operations } from '../../../../src/fs/operations/index.js';
import {
  startGateway,
  type Fault,
  type FaultRequest,
  type Gateway,
} from '../../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../../src/store/objectStore.js';
import { openStores, type OpenedStores } from '../../../../src/store/open.js';
import { fast } from '../../../store/fastClock.js';
import { credentials } from '../../../store/s3support.js';
import { all, bytes, errorOf, MiB, shown, uploadsOf } from '../../support.js';

const big = bytes(12 * MiB + 7);
const lost: Fault = { failure: { kind: 'lose-answer' } };
const late: Fault = { failure: { kind: 'answer-after', status: 500, code: 'InternalError' } };
const failed: Fault = { failure: { kind: 'answer', status: 500, code: 'InternalError' } };
const none = { assumeObjectNotExists: true };

let lake: ObjectStore;
let gateway: Gateway;
let stores: OpenedStores;
let operations: Operations;
let fault: (request: FaultRequest) => Fault | undefined;
let seen: string[];
let around: Around;
let name: string;

beforeEach(async () => {
  lake = createMemoryStore();
  fault = () => undefined;
  around = (_, run) => run;
  seen = [];
  gateway = await startGateway({
    buckets: { lake: decorate(lake, (call, run) => around(call, run)) },
    credentials,
    faults: (request) => {
      seen.push(request.operation);
      return fault(request);
    },
  });
  stores = openStores({
    s3: { endpoint: gateway.endpoint, credentials, sse: { type: 'sse-kms' }, retry: { maxRetries: 0 } },
  });
  operations = createOperations({ stores, clock: fast });
  name = `memory://opaque-${crypto.randomUUID()}`;
});
afterEach(async () => {
  await lastValueFrom(operations.close(), { defaultValue: undefined });
  stores.close();
  await gateway.close();
});

const put = (uri: string, body: Uint8Array) => {
  const { store, key } = stores.open(uri);
  return lastValueFrom(store.put(key, body));
};
const there = async (key: string): Promise<string> => {
  const { chunks } = await lastValueFrom(lake.get(key));
  return shown(Buffer.concat(chunks));
};
const publishing = ['CompleteMultipartUpload', 'PutObject'];
const times = (operation: string): number => seen.filter((one) => one === operation).length;
/** The first request that publishes fails. */
const once = (what: Fault): void => {
  fault = ({ operation, attempt }) => (publishing.includes(operation) && attempt === 1 ? what : undefined);
};

test('the ETags of this server look like MD5s, but are none', async () => {
  const { etag } = await put('s3://lake/a', Buffer.from('a'));
  expect(etag).toMatch(/^[0-9a-f]{32}$/);
  expect(etag).not.toBe((await lastValueFrom(lake.head('a'))).etag);
});

describe('a copy is published once, and proven', () => {
  test.each([
    ['is lost', lost, 1],
    ['is a 500 after the effect', late, 1],
    ['is a 500 before it', failed, 2],
  ] as const)('in parts, when the answer to Complete %s', async (_, what, asked) => {
    await put(`${name}/big`, big);
    once(what);
    const progress = await all(operations.copy(`${name}/big`, 's3://lake/big'));
    expect(progress.at(-1)).toMatchObject({ objects: { done: 1, total: 1 } });
    expect(await there('big')).toBe(shown(big));
    expect(times('CompleteMultipartUpload')).toBe(asked);
    expect(await uploadsOf(lake)).toEqual([]);
  });

  test('on the server, in parts', async () => {
    await put('s3://lake/big', big);
    once(lost);
    await all(operations.copy('s3://lake/big', 's3://lake/other', { overwrite: false }));
    expect(await there('other')).toBe(shown(big));
    expect(times('UploadPartCopy')).toBeGreaterThan(0);
    expect(times('CompleteMultipartUpload')).toBe(1);
  });

  test('by a put with a condition', async () => {
    await put(`${name}/small`, Buffer.from('small'));
    once(lost);
    await all(operations.copy(`${name}/small`, 's3://lake/small', { overwrite: false }));
    expect(await there('small')).toBe('small');
    expect(times('PutObject')).toBe(1);
  });

  test('after an interruption', async () => {
    await put(`${name}/big`, big);
    const what = { from: `${name}/big`, to: 's3://lake/big' };
    // The second part fails, once the first is there.
    const first = new AsyncSubject<unknown>();
    around = ({ method, body }, run) => {
      if (method !== 'uploadPart') return run;
      if (body?.length === 8 * MiB)
        return run.pipe(
          tap((part) => {
            first.next(part);
            first.complete();
          }),
        );
      return first.pipe(
        map((): never => {
          throw new StoreError('Unavailable', 'The part is not taken.');
        }),
      );
    };
    await errorOf(operations.bulkCopy(what));
    const [upload] = (await lastValueFrom(lake.listUploads({ prefix: '' }))).uploads;
    around = (_, run) => run;
    once(lost);
    seen.length = 0;
    expect((await all(operations.bulkCopy(what))).at(-1)).toMatchObject({ skipped: { bytes: 8 * MiB } });
    expect(upload?.key).toBe('big');
    expect(times('CreateMultipartUpload')).toBe(0);
    expect(await there('big')).toBe(shown(big));
    expect(await uploadsOf(lake)).toEqual([]);
  });
});

test('an object of the same length from another writer is not taken for the copy', async () => {
  await put(`${name}/big`, big);
  const other = bytes(big.length, 3);
  fault = ({ operation }) => {
    if (operation !== 'CompleteMultipartUpload') return undefined;
    const uploads: string[] = [];
    lake
      .listUploads({ prefix: 'big' })
      .subscribe((page) => uploads.push(...page.uploads.map((one) => one.uploadId)));
    for (const uploadId of uploads) lake.abortUpload('big', uploadId).subscribe();
    lake.put('big', other).subscribe();
    return undefined;
  };
  expect(await errorOf(operations.copy(`${name}/big`, 's3://lake/big'))).toMatchObject({ code: 'NotFound' });
  expect(await there('big')).toBe(shown(other));
});

describe('integrityCheck', () => {
  test.each([
    ['of one part', 'hello'],
    ['of several', big],
  ])('reports that it cannot check an object %s, not that it was damaged', async (_, body) => {
    const error = await errorOf(operations.write('s3://lake/a', body, { ...none, integrityCheck: true }));
    expect(error).toMatchObject({ code: 'NotSupported', message: expect.stringContaining('KMS') as string });
    expect(await uploadsOf(lake)).toEqual([]);
    expect(await errorOf(operations.stat('s3://lake/a'))).toMatchObject({ code: 'NotFound' });
  });
});
