import { CreateBucketCommand, HeadObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { concatMap, from } from 'rxjs';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { startGateway, type Gateway, type GatewayEvent } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import type { EncryptionOptions } from '../../../src/config/s3Options.js';
import { everyId, inputs, published, runJob, writeInput } from '../encryptedJob.js';
import { emptyCephBucket } from '../realBucket.js';
import { answer, credentials, failure } from '../s3support.js';

const sse = 'x-amz-server-side-encryption';
const context = { 'aws:s3:arn': 'arn:aws:s3:::lake', tenant: 'ä' };
const kms: EncryptionOptions = {
  type: 'sse-kms',
  kms: { keyId: 'alias/lake', encryptionContext: context },
};
const kmsHeaders = {
  [sse]: 'aws:kms',
  [`${sse}-aws-kms-key-id`]: 'alias/lake',
  [`${sse}-context`]: Buffer.from(JSON.stringify(context)).toString('base64'),
};
const makes: readonly string[] = ['PutObject', 'CopyObject', 'CreateMultipartUpload'];

function asked(event: GatewayEvent): Record<string, string> {
  return Object.fromEntries(Object.entries(event.headers).filter(([name]) => name.startsWith(sse)));
}

let lake: ObjectStore;
let events: GatewayEvent[];
let gateway: Gateway;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  lake = createMemoryStore();
  events = [];
  gateway = await startGateway({
    buckets: { lake, open: createMemoryStore() },
    credentials,
    observe: (event) => {
      if (event.phase === 'started') events.push(event);
    },
  });
  closing.push(() => gateway.close());
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function connect(options: S3Options = {}, endpoint = gateway.endpoint): S3Connection {
  const s3 = new S3Connection({ endpoint, credentials, retry: { maxRetries: 0 }, ...options });
  closing.push(() => s3.close());
  return s3;
}

/** Everything that makes an object. */
async function writeAll(store: ObjectStore): Promise<void> {
  await answer(store.put('put', Buffer.from('hello')));
  await answer(store.copy('put', 'copied'));
  const { uploadId } = await answer(store.createUpload('uploaded'));
  const part = await answer(store.copyPart('uploaded', uploadId, 1, { key: 'put' }));
  await answer(store.completeUpload('uploaded', uploadId, [part]));
}

describe('encryption is requested', () => {
  const cases: readonly [string, EncryptionOptions | undefined, Record<string, string>][] = [
    ['not at all, unless said', undefined, {}],
    ['not at all by none, whatever the bucket does', { type: 'none' }, {}],
    ['as SSE-S3', { type: 'sse-s3' }, { [sse]: 'AES256' }],
    ['as SSE-KMS with the account’s key', { type: 'sse-kms' }, { [sse]: 'aws:kms' }],
    ['as SSE-KMS with a key and a context', kms, kmsHeaders],
  ];

  test.each(cases)(
    '%s, in every request that makes an object and in no other',
    async (_, option, expected) => {
      const { store } = { store: connect(option === undefined ? {} : { sse: option }).store('lake') };
      await writeAll(store);
      const made = events.filter(({ operation }) => makes.includes(operation));
      expect(made.map(({ operation }) => operation)).toEqual([...makes]);
      for (const event of made) expect(asked(event)).toEqual(expected);
      for (const event of events.filter(({ operation }) => !makes.includes(operation)))
        expect(asked(event)).toEqual({});
    },
  );

  test('by one bucket differently from another of the same connection', async () => {
    const s3 = connect({ sse: { type: 'sse-s3' } });
    await writeAll(s3.store('lake', { sse: kms }));
    await writeAll(s3.reserved('lake', { sse: kms }));
    await writeAll(s3.store('open'));
    for (const event of events.filter(({ operation }) => makes.includes(operation)))
      expect(asked(event)).toEqual(event.bucket === 'lake' ? kmsHeaders : { [sse]: 'AES256' });
  });

  test('because the server requires it, and refuses otherwise', async () => {
    const strict = await startGateway({
      buckets: { lake: createMemoryStore() },
      credentials,
      requireEncryption: 'aws:kms',
    });
    closing.push(() => strict.close());
    for (const type of ['none', 'sse-s3'] as const) {
      const store = connect({ sse: { type } }, strict.endpoint).store('lake');
      expect(await failure(store.put('a', Buffer.from('x')))).toMatchObject({ code: 'PermissionDenied' });
      expect(await failure(store.createUpload('a'))).toMatchObject({ code: 'PermissionDenied' });
    }
    const store = connect({ sse: kms }, strict.endpoint).store('lake');
    await writeAll(store);
    const open = connect({}, strict.endpoint).store('lake');
    expect(await failure(open.copy('put', 'again'))).toMatchObject({ code: 'PermissionDenied' });
  });

  test('by valid options only', () => {
    const refused: unknown[] = [
      { type: 'aes' },
      { type: 'sse-s3', kms: { keyId: 'x' } },
      { kms: { encryptionContext: { a: 'b' } } },
      { type: 'sse-kms', kms: { keyId: 'two words' } },
    ];
    for (const option of refused)
      expect(() => new S3Connection({ sse: option as EncryptionOptions })).toThrow(
        expect.objectContaining({ code: 'InvalidS3Options' }) as Error,
      );
  });
});

describe('an encrypted object', () => {
  const head = async (key: string): Promise<unknown> => {
    const s3 = new S3Client({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials,
    });
    closing.push(() => s3.destroy());
    const { ServerSideEncryption, SSEKMSKeyId } = await s3.send(
      new HeadObjectCommand({ Bucket: 'lake', Key: key }),
    );
    return [ServerSideEncryption, SSEKMSKeyId];
  };

  test('reports its encryption; a copy inherits nothing', async () => {
    await writeAll(connect({ sse: kms }).store('lake'));
    for (const key of ['put', 'copied', 'uploaded'])
      expect(await head(key)).toEqual(['aws:kms', 'alias/lake']);
    const open = connect().store('lake');
    await answer(open.copy('put', 'copied'));
    expect(await head('copied')).toEqual([undefined, undefined]);
    await answer(open.put('put', Buffer.from('x')));
    expect(await head('put')).toEqual([undefined, undefined]);
  });

  test('has an ETag that is not an MD5, never the same twice, and works in conditions', async () => {
    const store = connect({ sse: kms }).store('lake');
    const first = await answer(store.put('a', Buffer.from('x')));
    const inner = await answer(lake.head('a'));
    expect(first.etag).toMatch(/^[0-9a-f]{32}$/);
    expect(first.etag).not.toBe(inner.etag);
    const second = await answer(store.put('a', Buffer.from('x')));
    expect(second.etag).not.toBe(first.etag);
    for (const etag of [first.etag, inner.etag])
      expect(await failure(store.put('a', Buffer.from('y'), { ifMatch: etag }))).toMatchObject({
        code: 'PreconditionFailed',
      });
    await answer(store.put('a', Buffer.from('y'), { ifMatch: second.etag }));
    const { uploadId } = await answer(store.createUpload('b'));
    const old = await answer(store.uploadPart('b', uploadId, 1, Buffer.from('x')));
    const part = await answer(store.uploadPart('b', uploadId, 1, Buffer.from('x')));
    expect(part.etag).not.toBe(old.etag);
    expect(await failure(store.completeUpload('b', uploadId, [old]))).toMatchObject({ code: 'InvalidPart' });
    expect((await answer(store.listParts('b', uploadId))).parts).toEqual([part]);
    const { etag } = await answer(store.completeUpload('b', uploadId, [part]));
    expect(etag).toMatch(/^[0-9a-f]{32}-1$/);
    const { objects } = await answer(store.list({ prefix: 'b' }));
    expect(objects.map((object) => object.etag)).toEqual([etag]);
  });
});

describe('a whole job', () => {
  /** Its second input waits until a journal was written, and it runs where only what is encrypted is taken. */
  test.each(['sse-s3', 'sse-kms'] as const)(
    'requests %s with every write: state, manifests, journals, files',
    async (type) => {
      const option = type === 'sse-kms' ? kms : { type };
      await writeInput(lake);
      let journaled = (): void => undefined;
      const journal = new Promise<void>((resolve) => (journaled = resolve));
      const held = decorate(lake, (call, run) => {
        if (call.method === 'put' && call.key.endsWith('.journal')) journaled();
        const waits = call.method === 'get' && call.key === inputs[1];
        return waits ? from(journal).pipe(concatMap(() => run)) : run;
      });
      const made: GatewayEvent[] = [];
      const strict = await startGateway({
        buckets: { lake: held },
        credentials,
        requireEncryption: type === 'sse-kms' ? 'aws:kms' : 'AES256',
        observe: (event) => {
          if (event.phase === 'started' && makes.includes(event.operation)) made.push(event);
        },
      });
      closing.push(() => strict.close());
      await runJob('lake', { endpoint: strict.endpoint, region: 'us-east-1', credentials, sse: option });
      expect(await published(lake)).toEqual(everyId);
      for (const event of made)
        expect(asked(event)).toEqual(type === 'sse-kms' ? kmsHeaders : { [sse]: 'AES256' });
      // Every kind of thing that a job writes was among them.
      const keys = made.map(({ operation, key }) => `${operation} ${key}`);
      for (const kind of [
        /^PutObject checkpoints\/probe\.json$/,
        /^PutObject checkpoints\/probe-.*-race$/,
        /^CreateMultipartUpload checkpoints\/probe-/,
        /^PutObject checkpoints\/sealed\/log\/\d{20}$/,
        /^PutObject checkpoints\/sealed\/data\/.*\.journal$/,
        /^(PutObject|CreateMultipartUpload) checkpoints\/sealed\/data\/.*per-user/,
        /^CreateMultipartUpload out\//,
      ])
        expect(keys).toContainEqual(expect.stringMatching(kind));
    },
  );

  test('publishes once under KMS, although answers about parts and Completes are lost', async () => {
    await writeInput(lake);
    const lossy = await startGateway({
      buckets: { lake },
      credentials,
      faults: ({ operation, key, attempt }) =>
        ['CompleteMultipartUpload', 'UploadPart'].includes(operation) &&
        key.startsWith('out/') &&
        attempt === 1
          ? { failure: { kind: 'lose-answer' } }
          : undefined,
    });
    closing.push(() => lossy.close());
    await runJob('lake', { endpoint: lossy.endpoint, region: 'us-east-1', credentials, sse: kms });
    expect(await published(lake)).toEqual(everyId);
  });
});

const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];
const key = process.env['MILLRACE_TEST_S3_KMS_KEY'];

(endpoint === undefined || key === undefined ? describe.skip : describe)('SSE-KMS on a real server', () => {
  const real: S3Options = {
    endpoint: endpoint ?? '',
    region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
    credentials: {
      accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
      secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    },
    sse: { type: 'sse-kms', kms: { keyId: key ?? '', encryptionContext: context } },
  };
  const bucket = `kms-${crypto.randomUUID()}`;
  let client: S3Client;
  let s3: S3Connection;

  beforeAll(async () => {
    client = new S3Client({ ...real, forcePathStyle: true } as S3ClientConfig);
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    s3 = new S3Connection(real);
  });
  afterAll(async () => {
    await emptyCephBucket(s3, bucket);
    s3.close();
    client.destroy();
  });

  const encryption = async (at: string): Promise<unknown> => {
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: at }));
    return [head.ServerSideEncryption, head.SSEKMSKeyId];
  };

  test('applies to puts, copies and uploads; what is not set is not inherited', async () => {
    const store = s3.store(bucket);
    await writeAll(store);
    for (const at of ['put', 'copied', 'uploaded']) {
      expect(await encryption(at)).toEqual(['aws:kms', key]);
      expect(Buffer.concat((await answer(store.get(at))).chunks).toString()).toBe('hello');
    }
    await answer(s3.store(bucket, { sse: { type: 'none' } }).copy('put', 'copied'));
    expect(await encryption('copied')).toEqual([undefined, undefined]);
    await answer(store.delete(['put', 'copied', 'uploaded']));
  });

  test('applies to everything that a whole job leaves behind', async () => {
    const store = s3.store(bucket);
    await writeInput(store);
    await runJob(bucket, real);
    expect(await published(store)).toEqual(everyId);
    const { objects } = await answer(store.list({}));
    expect(objects.length).toBeGreaterThan(5);
    for (const object of objects)
      expect([object.key, await encryption(object.key)]).toEqual([object.key, ['aws:kms', key]]);
  });
});
