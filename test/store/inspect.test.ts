import { randomUUID } from 'node:crypto';
import { firstValueFrom, lastValueFrom, throwError } from 'rxjs';
import { decorate, type StoreMethod } from '../../src/store/decorators/decorate.js';
import { StoreError } from '../../src/store/errors.js';
import { startGateway } from '../../src/store/gateway/index.js';
import { inspectServer, type ServerReport } from '../../src/store/inspect.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { openStores } from '../../src/store/open.js';
import { S3Connection } from '../../src/store/s3/index.js';
import { emptyCephBucket } from './realBucket.js';
import { credentials } from './s3support.js';

const inspect = (store: ObjectStore): Promise<ServerReport> => firstValueFrom(inspectServer({ store }));

const answers = ({ findings }: ServerReport): Record<string, boolean | number | undefined> =>
  Object.fromEntries(findings.map(({ name, found }) => [name, found]));

async function left(store: ObjectStore): Promise<string[]> {
  const { objects } = await firstValueFrom(store.list({}));
  const { uploads } = await firstValueFrom(store.listUploads({ prefix: '' }));
  return [...objects.map(({ key }) => key), ...uploads.map(({ key }) => `upload of ${key}`)];
}

const all = {
  'conditional-put': true,
  'conditional-replace': true,
  'conditional-complete': true,
  'complete-subset': true,
  'minimum-part-size': 5 * 1024 * 1024,
  'ordered-listing': true,
  'ranged-read': true,
  copy: true,
  'conditional-copy': true,
  'copy-part': true,
  'list-parts': true,
  'list-uploads': true,
};

describe('the report about a server', () => {
  test('finds that a store has all that AWS has, and leaves nothing behind', async () => {
    const store = createMemoryStore();
    const report = await inspect(store);
    expect(answers(report)).toEqual(all);
    expect(report).toMatchObject({ uri: 'memory://test', missing: [] });
    for (const { means, error } of report.findings) {
      expect(means).not.toBe('');
      expect(error).toBeUndefined();
    }
    expect(await left(store)).toEqual([]);
  });

  test.each([
    ['complete-subset', false, createMemoryStore({ completeSubset: false })],
    ['minimum-part-size', 1, createMemoryStore({ minimumPartSize: 0 })],
    ['minimum-part-size', false, createMemoryStore({ minimumPartSize: 6 * 1024 * 1024 })],
  ] as const)('finds %s to be %s, and no other difference', async (name, found, store) => {
    expect(answers(await inspect(store))).toEqual({ ...all, [name]: found });
    expect(await left(store)).toEqual([]);
  });

  test.each<[string, (inner: ObjectStore) => Partial<ObjectStore>, Record<string, boolean>]>([
    [
      'conditions on puts',
      (inner) => ({ put: (key, body) => inner.put(key, body) }),
      { 'conditional-put': false, 'conditional-replace': false },
    ],
    [
      'conditions on Completes',
      (inner) => ({ completeUpload: (key, id, parts) => inner.completeUpload(key, id, parts) }),
      { 'conditional-complete': false },
    ],
    [
      'conditions on copies',
      (inner) => ({ copy: (from, to) => inner.copy(from, to) }),
      { 'conditional-copy': false },
    ],
    [
      'where a listing is to start',
      (inner) => ({ list: (options) => inner.list({ ...options, startAfter: '' }) }),
      { 'ordered-listing': false },
    ],
  ])('notices a server that ignores %s', async (_, ignoring, found) => {
    const inner = createMemoryStore();
    const store = { ...decorate(inner, (_, run) => run), ...ignoring(inner) };
    expect(answers(await inspect(store))).toEqual({ ...all, ...found });
    expect(await left(inner)).toEqual([]);
  });

  test.each<[StoreMethod, readonly string[], string]>([
    ['get', ['ranged-read'], 's3:GetObject'],
    ['copy', ['copy', 'conditional-copy'], 's3:GetObject'],
    ['copyPart', ['copy-part'], 's3:GetObject'],
    ['list', ['ordered-listing'], 's3:ListBucket'],
    ['listParts', ['list-parts'], 's3:ListMultipartUploadParts'],
    ['listUploads', ['list-uploads'], 's3:ListBucketMultipartUploads'],
  ])(
    'without the right to %s leaves only that undecided, and names the action',
    async (method, open, action) => {
      const inner = createMemoryStore();
      const denied = decorate(inner, (call, run) =>
        call.method === method ? throwError(() => new StoreError('PermissionDenied', 'Access Denied.')) : run,
      );
      const report = await inspect(denied);
      expect(answers(report)).toEqual({
        ...all,
        ...Object.fromEntries(open.map((name) => [name, undefined])),
      });
      expect(report.missing).toEqual([action]);
      expect(await left(inner)).toEqual([]);
    },
  );

  test('names the action that AWS names, on a key for example', async () => {
    const text =
      'User: arn:aws:iam::1:user/a is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:x';
    const denied = decorate(createMemoryStore(), (call, run) =>
      call.method === 'put' ? throwError(() => new StoreError('PermissionDenied', text)) : run,
    );
    await expect(inspect(denied)).rejects.toMatchObject({
      code: 'PermissionDenied',
      action: 'kms:GenerateDataKey',
      message: expect.stringContaining('Grant kms:GenerateDataKey') as string,
    });
  });

  test.each(['put', 'delete'] as const)('is an error without the right to %s', async (method) => {
    const action = method === 'put' ? 's3:PutObject' : 's3:DeleteObject';
    const denied = decorate(createMemoryStore(), (call, run) =>
      call.method === method ? throwError(() => new StoreError('PermissionDenied', 'Access Denied.')) : run,
    );
    await expect(inspect(denied)).rejects.toMatchObject({ code: 'PermissionDenied', action });
  });

  test('fails if the server fails at any request, and leaves nothing behind', async () => {
    for (let n = 1; ; n++) {
      const inner = createMemoryStore();
      let calls = 0;
      let aborting = false;
      const store = decorate(inner, (call, run) => {
        if (++calls !== n) return run;
        aborting = call.method === 'abortUpload';
        return throwError(() => new StoreError('Unavailable', 'Try again.'));
      });
      const outcome = inspect(store);
      if (calls < n) {
        await outcome;
        expect(n).toBeGreaterThan(40);
        break;
      }
      const deleting = calls === n;
      await expect(outcome).rejects.toMatchObject({ code: 'Unavailable' });
      if (!aborting && !deleting) expect([n, await left(inner)]).toEqual([n, []]);
    }
  });

  test('reports which checksums a server accepts', async () => {
    const inner = createMemoryStore();
    const gateway = await startGateway({
      buckets: { lake: inner },
      credentials,
      observe: () => undefined,
      faults: ({ operation, key }) =>
        operation === 'PutObject' && key.endsWith('-crc64nvme')
          ? { failure: { kind: 'answer', status: 400, code: 'InvalidRequest', message: 'unknown checksum' } }
          : undefined,
    });
    using stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
    try {
      const report = await firstValueFrom(inspectServer(stores.open('s3://lake'), 'jobs/'));
      expect(answers(report)).toEqual({
        ...all,
        'checksum-crc32': true,
        'checksum-crc32c': true,
        'checksum-crc64nvme': false,
      });
      expect(report.findings.at(-1)?.error?.message).toContain('unknown checksum');
      expect(await left(inner)).toEqual([]);
    } finally {
      await gateway.close();
    }
  });

  test('needs a bucket', async () => {
    const gateway = await startGateway({ credentials });
    using stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
    try {
      await expect(firstValueFrom(inspectServer(stores.open('s3://lake')))).rejects.toMatchObject({
        code: 'NotFound',
      });
    } finally {
      await gateway.close();
    }
  });
});

const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];

(endpoint === undefined ? test.skip : test)('the report about a real server', async () => {
  const s3 = {
    endpoint: endpoint ?? '',
    region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
    credentials: {
      accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
      secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    },
  };
  using connection = new S3Connection(s3);
  using stores = openStores({ s3 });
  const bucket = `inspect-${randomUUID()}`;
  await lastValueFrom(connection.createBucket(bucket), { defaultValue: undefined });
  try {
    const report = await firstValueFrom(inspectServer(stores.open(`s3://${bucket}`)));
    expect(answers(report)).toMatchObject({ 'conditional-put': true, 'ordered-listing': true, copy: true });
    expect(report.findings).toHaveLength(15);
    expect(await left(connection.store(bucket))).toEqual([]);
  } finally {
    await emptyCephBucket(connection, bucket);
  }
});
