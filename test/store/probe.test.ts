import { randomUUID } from 'node:crypto';
import { concat, concatMap, defer, firstValueFrom, ignoreElements, lastValueFrom, throwError } from 'rxjs';
import { accessError } from '../../src/checkpoint/accessError.js';
import { counting } from '../../src/store/decorators/counting.js';
import { silentLogger } from '../../src/config/logger.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { crashAt } from '../../src/store/decorators/faults.js';
import { StoreError } from '../../src/store/errors.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { probe } from '../../src/store/probe.js';
import { S3Connection } from '../../src/store/s3/index.js';
import { emptyCephBucket } from './realBucket.js';

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

  it('reads one object the next time, and looks for leftovers of trials', async () => {
    const { store, counts, reset } = counting(createMemoryStore());
    const first = await firstValueFrom(probe(store, 'jobs/'));
    reset();
    expect(await firstValueFrom(probe(store, 'jobs/'))).toEqual(first);
    expect(counts().requests).toEqual({ get: 1, list: 1, listUploads: 1 });
  });

  it.each([
    'null',
    '7',
    '{"version":2}',
    '{"version":2,"conditionalPut":"yes","completeSubset":true,"minimumPartSize":1}',
    '{"version":2,"conditionalPut":true,"completeSubset":1,"minimumPartSize":1}',
    '{"version":2,"conditionalPut":true,"completeSubset":true,"minimumPartSize":-1}',
  ])('probes again if it finds %s', async (kept) => {
    const store = createMemoryStore({ completeSubset: false });
    await lastValueFrom(store.put('jobs/probe.json', Buffer.from(kept)));
    const found = await firstValueFrom(probe(store, 'jobs/'));
    expect(found).toMatchObject({ completeSubset: false, minimumPartSize: 5 * 1024 * 1024 });
  });

  it('probes again if it cannot read the result', async () => {
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

  const uploads = async (store: ObjectStore): Promise<string[]> =>
    (await firstValueFrom(store.listUploads({ prefix: '' }))).uploads.map(({ key }) => key);

  it.each(['before', 'after'] as const)(
    'leaves nothing, wherever earlier ones died, %s a request',
    async (when) => {
      let dead = true;
      for (let at = 1; dead; at++) {
        const store = createMemoryStore();
        const mortal = crashAt(store, at, when);
        const alive = probe(mortal.store, 'jobs/').subscribe();
        ({ dead } = mortal);
        alive.unsubscribe();
        const found = await firstValueFrom(probe(store, 'jobs/'));
        expect({ at, found }).toMatchObject({ found: { conditionalPut: true, completeSubset: true } });
        expect({ at, left: await left(store), uploads: await uploads(store) }).toEqual({
          at,
          left: ['jobs/probe.json'],
          uploads: [],
        });
      }
    },
  );

  it('leaves no second upload if one was created although the answer was lost', async () => {
    const inner = createMemoryStore();
    const store = decorate(inner, (call, run) =>
      call.method === 'createUpload' ? concat(run.pipe(ignoreElements()), run) : run,
    );
    await firstValueFrom(probe(store, 'jobs/'));
    expect(await uploads(inner)).toEqual([]);
  });

  it('does not touch objects that are not of a probe', async () => {
    const store = createMemoryStore();
    const others = [
      'jobs/inspect-millrace-0123456789-parts',
      'jobs/probe-millrace-0123456789-parts-of-mine',
      'jobs/probe-millrace-0123456789-parts/log/1',
      'jobs/probe-millrace-parts',
      'jobs/probe-spare-parts',
      'mine/probe-millrace-0123456789-parts',
    ];
    for (const key of others) {
      await firstValueFrom(store.put(key, Buffer.from('')));
      await firstValueFrom(store.createUpload(key));
    }
    await firstValueFrom(probe(store, 'jobs/'));
    expect(await left(store)).toEqual([...others, 'jobs/probe.json'].sort());
    expect(await uploads(store)).toEqual(others);
  });

  it('finds the same if another process removes its objects at any time', async () => {
    let reached = true;
    for (let at = 2; reached; at++) {
      reached = false;
      let requests = 0;
      const store = createMemoryStore();
      const slow = decorate(store, (_, run) =>
        defer(() => {
          if (++requests !== at) return run;
          reached = true;
          return probe(store, 'jobs/').pipe(concatMap(() => run));
        }),
      );
      expect({ at, ...(await firstValueFrom(probe(slow, 'jobs/'))) }).toMatchObject({
        at,
        conditionalPut: true,
        completeSubset: true,
      });
      expect(await firstValueFrom(probe(store, 'jobs/'))).toMatchObject({
        conditionalPut: true,
        completeSubset: true,
      });
      expect({ at, left: await left(store) }).toEqual({ at, left: ['jobs/probe.json'] });
    }
  });

  it.each(['list', 'listUploads', 'delete', 'abortUpload'] as const)(
    'succeeds although %s is denied to the clean-up, and logs that',
    async (method) => {
      const store = createMemoryStore();
      await firstValueFrom(probe(store, 'jobs/'));
      await firstValueFrom(store.put('jobs/probe-millrace-0123456789-race', Buffer.from('')));
      await firstValueFrom(store.createUpload('jobs/probe-millrace-0123456789-parts'));
      const refusing = decorate(store, (call, run) =>
        call.method === method ? throwError(() => new StoreError('PermissionDenied', 'no')) : run,
      );
      const warned: unknown[] = [];
      const logger = { ...silentLogger, warn: (context: object) => warned.push(context) };
      expect(await firstValueFrom(probe(refusing, 'jobs/', Math.random, logger))).toMatchObject({
        conditionalPut: true,
      });
      expect(warned).toHaveLength(1);
    },
  );

  it.each(['CredentialsProviderError', 'InvalidAccessKeyId', 'SignatureDoesNotMatch'])(
    'names no missing right if the credentials are wrong: %s',
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

  it('names the role that STS denies, for any request', async () => {
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
  it('finds the same twice, and leaves only the result', async () => {
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
  });
});
