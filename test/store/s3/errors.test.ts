import { inspect } from 'node:util';
import { of } from 'rxjs';
import { startGateway, type Fault } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { toStoreError, type S3Operation } from '../../../src/store/s3/errors.js';
import { S3Connection, s3Store, type S3Options } from '../../../src/store/s3/index.js';
import { AwsSettings } from '../../../src/store/s3/aws/settings.js';
import { resolveOptions } from '../../../src/store/s3/options.js';
import { answer, credentials, failure } from '../s3support.js';

const secrets = {
  accessKeyId: 'AKIDVISIBLE',
  secretAccessKey: 'sEcReT-kEy-0123456789',
  sessionToken: 'tOkEn-9876543210',
};

describe('errors of servers become codes of the store', () => {
  const asked = (operation: S3Operation, more: object = {}) => ({
    operation,
    bucket: 'lake',
    key: 'k',
    ...more,
  });
  const said = (name: string, status: number) => ({
    name,
    message: '',
    $metadata: { httpStatusCode: status },
  });

  test('a server without a default KMS key gets advice to configure one', () => {
    const message =
      'Server Side Encryption with KMS managed key requires HTTP header x-amz-server-side-encryption-aws-kms-key-id';
    const error = toStoreError({ ...said('InvalidArgument', 400), message }, asked('PutObject'));
    expect(error.message).toContain('set `s3.sse.kms.key-id`');
  });

  test.each([
    ['NoSuchKey', 404, 'NotFound'],
    ['NoSuchUpload', 404, 'NotFound'],
    ['NoSuchBucket', 404, 'NotFound'],
    ['PreconditionFailed', 412, 'PreconditionFailed'],
    ['ConditionalRequestConflict', 409, 'Conflict'],
    ['OperationAborted', 409, 'Conflict'],
    ['AccessDenied', 403, 'PermissionDenied'],
    ['InvalidAccessKeyId', 403, 'PermissionDenied'],
    ['SignatureDoesNotMatch', 403, 'PermissionDenied'],
    ['ExpiredToken', 400, 'Expired'],
    ['SlowDown', 503, 'Throttled'],
    ['SlowDown', 200, 'Throttled'],
    ['RequestTimeout', 400, 'Unavailable'],
    ['RequestTimeTooSkewed', 403, 'InvalidRequest'],
    ['InternalError', 500, 'Unavailable'],
    ['InternalError', 200, 'Unavailable'],
    ['BadDigest', 400, 'Integrity'],
    ['EntityTooSmall', 400, 'TooSmall'],
    ['InvalidPart', 400, 'InvalidPart'],
    ['InvalidPartOrder', 400, 'InvalidPart'],
    ['NotImplemented', 501, 'NotSupported'],
    ['Unknown', 304, 'NotModified'],
    ['Unknown', 403, 'PermissionDenied'],
    ['Unknown', 404, 'NotFound'],
    ['Unknown', 412, 'PreconditionFailed'],
    ['Unknown', 429, 'Throttled'],
    ['Unknown', 500, 'Unavailable'],
    ['Unknown', 502, 'Unavailable'],
    ['Unknown', 503, 'Throttled'],
    ['SomethingNew', 400, 'InvalidRequest'],
  ])('%s with %i is %s', (name, status, code) => {
    expect(toStoreError(said(name, status), asked('GetObject'))).toMatchObject({ code, status });
  });

  test('a failed If-None-Match is AlreadyExists; a missing object under If-Match PreconditionFailed', () => {
    const put = asked('PutObject', { ifNoneMatch: true });
    expect(toStoreError(said('PreconditionFailed', 412), put).code).toBe('AlreadyExists');
    const replace = asked('PutObject', { ifMatch: true });
    expect(toStoreError(said('NoSuchKey', 404), replace).code).toBe('PreconditionFailed');
    expect(toStoreError(said('NoSuchBucket', 404), replace).code).toBe('NotFound');
  });

  test('no answer at all is Unavailable', () => {
    for (const code of ['ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND']) {
      const error = toStoreError(Object.assign(new Error('x'), { code }), asked('PutObject'));
      expect(error).toMatchObject({
        code: 'Unavailable',
        retryable: true,
        message: expect.stringContaining(code) as string,
      });
    }
  });

  test.each([
    ['PutObject', 's3:PutObject'],
    ['ListMultipartUploads', 's3:ListBucketMultipartUploads'],
    ['ListParts', 's3:ListMultipartUploadParts'],
    ['AbortMultipartUpload', 's3:AbortMultipartUpload'],
    ['ListObjectsV2', 's3:ListBucket'],
    ['DeleteObjects', 's3:DeleteObject'],
    ['GetObject', 's3:GetObject'],
  ] as const)('a forbidden %s names %s', (operation, action) => {
    expect(toStoreError(said('AccessDenied', 403), asked(operation)).message).toContain(action);
  });

  test('a forbidden key of KMS names the rights on it', () => {
    const raw = { ...said('AccessDenied', 403), message: 'not authorized to perform: kms:GenerateDataKey' };
    expect(toStoreError(raw, asked('PutObject')).message).toContain('kms:Decrypt');
  });
});

describe('through the gateway', () => {
  async function withGateway(
    body: (store: ObjectStore, plan: (fault: Fault | undefined) => void) => Promise<void>,
    options: S3Options = {},
  ): Promise<void> {
    let fault: Fault | undefined;
    await using gateway = await startGateway({
      buckets: { lake: createMemoryStore() },
      credentials: [credentials, secrets],
      faults: () => fault,
    });
    using s3 = new S3Connection({ endpoint: gateway.endpoint, credentials, ...options });
    await body(s3.store('lake'), (next) => {
      fault = next;
    });
  }

  test('per-key failures of a batch delete come back key by key', async () => {
    const refusing = new Proxy(createMemoryStore(), {
      get: (target, name: keyof ObjectStore) =>
        name === 'delete'
          ? (keys: readonly string[]) => {
              const asked = { operation: 'DeleteObjects', bucket: 'lake' } as const;
              return of([{ key: keys[1], error: toStoreError({ name: 'AccessDenied' }, asked) }]);
            }
          : (target[name] as (...args: unknown[]) => unknown).bind(target),
    });
    await using gateway = await startGateway({ buckets: { lake: refusing }, credentials });
    using s3 = new S3Connection({ endpoint: gateway.endpoint, credentials });
    const failures = await answer(s3.store('lake').delete(['a', 'b', 'c']));
    expect(failures).toMatchObject([{ key: 'b', error: { code: 'PermissionDenied' } }]);
  });

  test('answers without a body, or with one that is not XML, are classified by status', () =>
    withGateway(
      async (store, plan) => {
        plan({ failure: { kind: 'answer', status: 403, code: 'AccessDenied' } });
        expect(await failure(store.head('a'))).toMatchObject({
          code: 'PermissionDenied',
          message: expect.stringMatching(/s3:GetObject/) as string,
        });
        plan({ failure: { kind: 'answer', status: 503, code: 'SlowDown' } });
        expect(await failure(store.head('a'))).toMatchObject({ code: 'Throttled', status: 503 });
      },
      { retry: { maxRetries: 0 } },
    ));

  test('expired keys are requested again', async () => {
    let asked = 0;
    const fresh = (): Promise<typeof credentials> => {
      asked += 1;
      return Promise.resolve(credentials);
    };
    await withGateway(
      async (store, plan) => {
        await answer(store.list({}));
        plan({ failure: { kind: 'answer', status: 400, code: 'ExpiredToken' } });
        expect(asked).toBe(1);
        expect(await failure(store.list({}))).toMatchObject({ code: 'Expired', retryable: true });
        expect(asked).toBe(2);
        plan(undefined);
        await answer(store.list({}));
        expect(asked).toBe(2);
      },
      { credentials: fresh, retry: { maxRetries: 0 } },
    );
  });

  test('no secret is in any error, store or connection, however it is shown', async () => {
    await withGateway(
      async (store, plan) => {
        const shown: unknown[] = [store];
        for (const [status, code] of [
          [403, 'SignatureDoesNotMatch'],
          [400, 'ExpiredToken'],
          [500, 'InternalError'],
          [400, 'SomethingNew'],
        ] as const) {
          plan({
            failure: { kind: 'answer', status, code, message: 'said the server' },
          });
          shown.push(await failure(store.put('a', Buffer.from('x'))), await failure(store.get('a')));
        }
        plan({ failure: { kind: 'reset' } });
        shown.push(await failure(store.list({})));
        expectNoSecret(shown);
      },
      { credentials: secrets },
    );
    using s3 = new S3Connection({ endpoint: 'http://127.0.0.1:1', credentials: secrets });
    expectNoSecret([s3, s3.store('x'), await failure(s3.store('x').list({}))]);
  });
});

function expectNoSecret(shown: readonly unknown[]): void {
  for (const one of shown) {
    const text =
      inspect(one, { depth: Infinity, showHidden: true, getters: true }) + String(one) + JSON.stringify(one);
    expect(text).not.toContain(secrets.secretAccessKey);
    expect(text).not.toContain(secrets.sessionToken);
    expect(text).not.toMatch(/AWS4-HMAC-SHA256 Credential/);
  }
}

describe('options', () => {
  const told = (env: Record<string, string>): AwsSettings =>
    new AwsSettings(undefined, { HOME: '/nonexistent', ...env });
  const nothing = told({});

  test('a custom endpoint changes the defaults; AWS’s own hosts do not', () => {
    expect(resolveOptions({ endpoint: 'http://127.0.0.1:9000' }, nothing)).toMatchObject({
      custom: true,
      forcePathStyle: true,
      checksum: undefined,
      checksumValidation: false,
      chunkedEncoding: false,
      unsignedPayload: false,
    });
    expect(
      resolveOptions({ endpoint: 'https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com' }, nothing),
    ).toMatchObject({
      custom: false,
      forcePathStyle: false,
      checksum: 'crc32',
      checksumValidation: true,
      chunkedEncoding: false,
      unsignedPayload: true,
    });
    expect(resolveOptions({}, told({ AWS_ENDPOINT_URL: 'http://10.0.0.1' }))).toMatchObject({ custom: true });
    expect(resolveOptions({}, nothing)).toMatchObject({
      endpoint: undefined,
      custom: false,
      checksum: 'crc32',
    });
  });

  test('are refused if invalid, without repeating what may be secret', () => {
    const wrong: S3Options[] = [
      { endpoint: 'nonsense' },
      { endpoint: 'ftp://x' },
      { endpoint: 'https://x/path?query' },
      { endpoint: 'https://x/#fragment' },
      { maxSockets: 0 },
      { idleTimeout: 1.5 },
      { checksum: 'sha1' as never },
      { storageClass: 'two words' },
      { accelerate: true, endpoint: 'http://127.0.0.1:9000' },
      { dualStack: true, endpoint: 'https://s3.eu-west-1.amazonaws.com' },
      { accelerate: true, forcePathStyle: true },
    ];
    for (const options of wrong)
      expect(() => resolveOptions(options, nothing)).toThrow(
        expect.objectContaining({
          code: expect.stringMatching(/^Invalid(S3Options|Option)$/) as string,
        }) as Error,
      );
    let message = '';
    try {
      resolveOptions({ endpoint: 'http://user:hunter2@host' }, nothing);
    } catch (error) {
      message = inspect(error);
    }
    expect(message).toMatch(/InvalidS3Options/);
    expect(message).not.toContain('hunter2');
  });

  test('no region anywhere is an error that names every way to set one', async () => {
    const before = { ...process.env };
    delete process.env['AWS_REGION'];
    delete process.env['AWS_DEFAULT_REGION'];
    process.env['AWS_CONFIG_FILE'] = '/nonexistent';
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/nonexistent';
    try {
      const store = s3Store('lake', { credentials });
      const error = await failure(store.head('a'));
      store.close();
      expect(error).toMatchObject({ code: 'RegionMissing' });
      for (const way of ['`region`', 'AWS_REGION', 'AWS_DEFAULT_REGION', '/nonexistent'])
        expect(error.message).toContain(way);
    } finally {
      process.env = before;
    }
  });
});

const endpoints = ['MILLRACE_TEST_S3_ENDPOINT', 'MILLRACE_TEST_S3_ENDPOINT_STRICT_AUTH'].filter(
  (name) => process.env[name],
);

(endpoints.length > 0 ? describe : describe.skip)('wrong credentials on a real server', () => {
  const good = {
    accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
    secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
  };

  test.each(endpoints)('%s', async (name) => {
    const endpoint = process.env[name] ?? '';
    for (const wrong of [
      { ...good, secretAccessKey: secrets.secretAccessKey },
      { ...good, accessKeyId: 'unknown-key' },
    ]) {
      using s3 = new S3Connection({ endpoint, credentials: wrong });
      for (const request of [
        s3.store('any').list({}),
        s3.store('any').head('x'),
        s3.createBucket('any-bucket'),
      ]) {
        const error = await failure(request);
        expect(error).toMatchObject({ code: 'PermissionDenied', retryable: false });
        expectNoSecret([error]);
      }
    }
    using s3 = new S3Connection({ endpoint, credentials: good });
    expect(await failure(s3.store('no-such-bucket-here').list({}))).toMatchObject({
      code: 'NotFound',
      serverCode: 'NoSuchBucket',
    });
  });
});
