import { randomUUID } from 'node:crypto';
import { firstValueFrom, lastValueFrom, throwError } from 'rxjs';
import { accessError } from '../../src/checkpoint/accessError.js';
import { counting } from '../../src/store/decorators/counting.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { StoreError } from '../../src/store/errors.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { probe } from '../../src/store/probe.js';
import { S3Connection } from '../../src/store/s3/index.js';
import { emptyCephBucket } from './s3support.js';

const left = async (store: ReturnType<typeof createMemoryStore>): Promise<string[]> =>
  (await lastValueFrom(store.list({}))).objects.map(({ key }) => key);

describe('the probe', () => {
  it.each([true, false])('finds whether Complete takes a subset: %s', async (completeSubset) => {
    const store = createMemoryStore({ completeSubset });
    expect(await firstValueFrom(probe(store, 'jobs/'))).toEqual({
      conditionalPut: true,
      completeSubset,
      minimumPartSize: 5 * 1024 * 1024,
    });
    expect(await left(store)).toEqual(['jobs/probe.json']);
    expect((await firstValueFrom(store.listUploads({ prefix: '' }))).uploads).toEqual([]);
  });

  it('asks one object the next time', async () => {
    const { store, counts, reset } = counting(createMemoryStore());
    const first = await firstValueFrom(probe(store, 'jobs/'));
    reset();
    expect(await firstValueFrom(probe(store, 'jobs/'))).toEqual(first);
    expect(counts().requests).toEqual({ get: 1 });
  });

  it('tries again what it cannot read', async () => {
    const store = createMemoryStore();
    await lastValueFrom(store.put('probe.json', Buffer.from('{"version":')));
    expect(await firstValueFrom(probe(store, ''))).toMatchObject({ completeSubset: true });
  });

  it('notices a store that ignores conditions', async () => {
    const inner = createMemoryStore();
    const store = {
      ...decorate(inner, (_, run) => run),
      put: (key: string, body: Uint8Array) => inner.put(key, body),
    };
    expect(await firstValueFrom(probe(store, ''))).toMatchObject({ conditionalPut: false });
  });

  it.each(['CredentialsProviderError', 'InvalidAccessKeyId', 'SignatureDoesNotMatch'])(
    'asks for no right where the credentials are wrong: %s',
    async (serverCode) => {
      const wrong = new StoreError('PermissionDenied', 'Check the keys.', { serverCode });
      const refusing = decorate(createMemoryStore(), () => throwError(() => wrong));
      await expect(firstValueFrom(probe(refusing, ''))).rejects.toBe(wrong);
      expect(accessError(wrong, 's3://lake/checkpoints')).toMatchObject({
        code: 'LogAccessDenied',
        message: expect.not.stringContaining('Grant') as string,
      });
    },
  );

  it('names the role that STS denies, whatever was to be done with it', async () => {
    const denied = new StoreError(
      'PermissionDenied',
      'AssumeRole arn:aws:iam::1:role/r: 403 AccessDenied. Allow sts:AssumeRole on the role to the base credentials.',
      { serverCode: 'AccessDenied', status: 403 },
    );
    const refusing = decorate(createMemoryStore(), () => throwError(() => denied));
    const error: unknown = await firstValueFrom(probe(refusing, '')).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ action: 'sts:AssumeRole' });
    expect(accessError(error, 's3://lake/checkpoints')).toMatchObject({
      message: expect.not.stringContaining('s3:ListBucket') as string,
    });
  });

  it.each([
    ['put', 's3:PutObject'],
    ['list', 's3:ListBucket'],
    ['delete', 's3:DeleteObject'],
  ])('names the right that %s is missing', async (method, action) => {
    const denied = decorate(createMemoryStore(), (call, run) =>
      call.method === method ? throwError(() => new StoreError('PermissionDenied', 'Access Denied.')) : run,
    );
    await expect(firstValueFrom(probe(denied, ''))).rejects.toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringContaining(`Grant ${action}`) as string,
    });
  });
});

const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];

(endpoint === undefined ? describe.skip : describe)('the probe on a real server', () => {
  it('gives the same answer twice, and leaves only that', async () => {
    using s3 = new S3Connection({
      endpoint: endpoint ?? '',
      region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
      credentials: {
        accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
        secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
      },
    });
    const bucket = `probe-${randomUUID()}`;
    await lastValueFrom(s3.createBucket(bucket), { defaultValue: undefined });
    try {
      const store = s3.store(bucket);
      const found = await firstValueFrom(probe(store, 'jobs/'));
      expect(found.conditionalPut).toBe(true);
      expect(await firstValueFrom(probe(store, 'jobs/'))).toEqual(found);
      expect(await left(store)).toEqual(['jobs/probe.json']);
      expect((await firstValueFrom(store.listUploads({ prefix: '' }))).uploads).toEqual([]);
    } finally {
      await emptyCephBucket(s3, bucket);
    }
  }, 60_000);
});
