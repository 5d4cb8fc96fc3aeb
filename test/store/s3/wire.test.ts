import { jest } from '@jest/globals';
import { map } from 'rxjs';
import { checksumOf } from '../../../src/store/checksums.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { startGateway, type GatewayEvent } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectBody, ObjectStore } from '../../../src/store/objectStore.js';
import { HttpHandler } from '../../../src/store/s3/httpHandler.js';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import { isAws } from '../../../src/store/s3/wire.js';
import { answer, credentials, failure } from '../s3support.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) await close();
});

/** A bucket behind a gateway, and the requests that reach it. */
async function lake(
  options: S3Options,
  inner = createMemoryStore(),
): Promise<{ readonly store: ObjectStore; readonly events: GatewayEvent[]; readonly inner: ObjectStore }> {
  const events: GatewayEvent[] = [];
  const gateway = await startGateway({
    buckets: { lake: inner },
    credentials,
    observe: (event) => {
      if (event.phase === 'finished') events.push(event);
    },
  });
  const s3 = new S3Connection({
    endpoint: gateway.endpoint,
    credentials,
    retry: { maxRetries: 0 },
    ...options,
  });
  closing.push(
    () => gateway.close(),
    () => s3.close(),
  );
  return { store: s3.store('lake'), events, inner };
}

/** The requests as they are sent, without a server; every one fails. */
function outgoing(): { hostname: string; path: string; headers: Record<string, string>; body: unknown }[] {
  const sent: ReturnType<typeof outgoing> = [];
  jest.spyOn(HttpHandler.prototype, 'handle').mockImplementation((request) => {
    sent.push(request as unknown as (typeof sent)[number]);
    return Promise.reject(new Error('nowhere'));
  });
  return sent;
}

async function sendOne(options: S3Options): Promise<ReturnType<typeof outgoing>[number]> {
  const sent = outgoing();
  const s3 = new S3Connection({ credentials, retry: { maxRetries: 0 }, ...options });
  closing.push(() => s3.close());
  await failure(s3.store('lake').put('a/b', Buffer.from('hello')));
  const [first] = sent;
  if (first === undefined) throw new Error('Nothing was sent.');
  return first;
}

const body = Buffer.alloc(2_500_000, 'x');

describe('requests', () => {
  test.each(['crc32', 'crc32c', 'crc64nvme'] as const)(
    '%s is sent with bodies, and for uploads as a whole',
    async (checksum) => {
      const { store, events } = await lake({ checksum });
      await answer(store.put('a', body));
      const { uploadId } = await answer(store.createUpload('b'));
      const part = await answer(store.uploadPart('b', uploadId, 1, body));
      await answer(store.completeUpload('b', uploadId, [part]));
      const [put, create, upload] = events.map(({ headers }) => headers);
      const name = `x-amz-checksum-${checksum}`;
      expect(put?.[name]).toBe(checksumOf(checksum, body));
      expect(upload?.[name]).toBe(checksumOf(checksum, body));
      expect(create).toMatchObject({
        'x-amz-checksum-algorithm': checksum.toUpperCase(),
        'x-amz-checksum-type': 'FULL_OBJECT',
      });
    },
  );

  test('no checksum is sent to a server that is not AWS, unless configured', async () => {
    const { store, events } = await lake({});
    await answer(store.put('a', body));
    await answer(store.createUpload('b'));
    await answer(store.get('a'));
    for (const { headers } of events)
      expect(Object.keys(headers).filter((name) => /checksum|trailer|content-encoding/.test(name))).toEqual(
        [],
      );
  });

  test('chunked bodies are declared, have a trailing checksum, and are not joined', async () => {
    const { store, events, inner } = await lake({
      chunkedEncoding: true,
      checksum: 'crc32c',
      payloadSigning: 'unsigned',
    });
    const handle = jest.spyOn(HttpHandler.prototype, 'handle');
    await answer(store.put('a', body, { content: { encoding: 'gzip' } }));
    expect(events[0]?.headers).toMatchObject({
      'content-encoding': 'gzip,aws-chunked',
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': String(body.length),
      'x-amz-trailer': 'x-amz-checksum-crc32c',
    });
    expect(events[0]?.headers).not.toHaveProperty('x-amz-checksum-crc32c');
    const pieces = handle.mock.calls[0]?.[0].body as Uint8Array[];
    const data = pieces.filter(({ length }) => length > 100);
    expect(data.every(({ buffer }) => buffer === body.buffer)).toBe(true);
    expect((await answer(inner.head('a'))).content).toMatchObject({ encoding: 'gzip' });
    expect(Buffer.concat((await answer(inner.get('a'))).chunks).equals(body)).toBe(true);
  });

  test('chunks are signed if bodies are; then a checksum is optional', async () => {
    const { store, events, inner } = await lake({ chunkedEncoding: true });
    for (const size of [0, 1, 1024 * 1024, body.length]) {
      await answer(store.put(`${size}`, body.subarray(0, size)));
      expect((await answer(inner.head(`${size}`))).size).toBe(size);
    }
    expect(new Set(events.map(({ headers }) => headers['x-amz-content-sha256']))).toEqual(
      new Set(['STREAMING-AWS4-HMAC-SHA256-PAYLOAD']),
    );
    const summed = await lake({ chunkedEncoding: true, checksum: 'crc64nvme' });
    await answer(summed.store.put('a', body));
    expect(summed.events[0]?.headers).toMatchObject({
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
      'x-amz-trailer': 'x-amz-checksum-crc64nvme',
    });
  });

  test('payloads are signed or not', async () => {
    for (const [payloadSigning, expected] of [
      ['signed', /^[0-9a-f]{64}$/],
      ['unsigned', /^UNSIGNED-PAYLOAD$/],
    ] as const) {
      const { store, events } = await lake({ payloadSigning });
      await answer(store.put('a', body));
      expect(events[0]?.headers['x-amz-content-sha256']).toMatch(expected);
    }
  });

  test('the storage class is sent with all writes, and reported', async () => {
    const { store, events } = await lake({ storageClass: 'STANDARD_IA' });
    await answer(store.put('a', body));
    await answer(store.copy('a', 'b'));
    const { uploadId } = await answer(store.createUpload('c'));
    await answer(
      store.completeUpload('c', uploadId, [await answer(store.uploadPart('c', uploadId, 1, body))]),
    );
    const said = events.map(({ operation, headers }) => [operation, headers['x-amz-storage-class']]);
    expect(said).toEqual([
      ['PutObject', 'STANDARD_IA'],
      ['CopyObject', 'STANDARD_IA'],
      ['CreateMultipartUpload', 'STANDARD_IA'],
      ['UploadPart', undefined],
      ['CompleteMultipartUpload', undefined],
    ]);
    const { objects } = await answer(store.list({}));
    expect(objects.map(({ storageClass }) => storageClass)).toEqual(Array(3).fill('STANDARD_IA'));
    expect(await answer(store.head('a'))).toMatchObject({ storageClass: 'STANDARD_IA' });
  });
});

describe('validation of reads', () => {
  const damaged = (): ObjectStore =>
    decorate(createMemoryStore(), (call, run) =>
      call.method !== 'get'
        ? run
        : run.pipe(
            map((value) => {
              const { info, chunks } = value as ObjectBody;
              const bytes = Buffer.concat(chunks);
              bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
              return { info, chunks: [bytes] } as typeof value;
            }),
          ),
    );

  test.each(['crc32', 'crc32c', 'crc64nvme'] as const)('detects damage by %s', async (checksum) => {
    const { store } = await lake({ checksum, checksumValidation: true }, damaged());
    await answer(store.put('a', body));
    expect(await failure(store.get('a'))).toMatchObject({
      code: 'Integrity',
      message: expect.stringContaining(checksum) as string,
    });
    // There is no checksum of a part of it.
    await answer(store.get('a', { range: { start: 0, end: 10 } }));
  });

  test('is off by default, and accepts objects without a checksum', async () => {
    const { store, events } = await lake({ checksum: 'crc32' }, damaged());
    await answer(store.put('a', body));
    await answer(store.get('a'));
    expect(events[1]?.headers).not.toHaveProperty('x-amz-checksum-mode');
    const validating = await lake({ checksumValidation: true });
    await answer(validating.store.put('a', body));
    await answer(validating.store.get('a'));
    expect(validating.events[1]?.headers['x-amz-checksum-mode']).toBe('ENABLED');
  });
});

describe('the host of requests', () => {
  const region = 'eu-west-1';

  test.each<[string, S3Options, string]>([
    ['to AWS', { region }, 'lake.s3.eu-west-1.amazonaws.com/a/b'],
    ['path style', { region, forcePathStyle: true }, 's3.eu-west-1.amazonaws.com/lake/a/b'],
    ['dual stack', { region, dualStack: true }, 'lake.s3.dualstack.eu-west-1.amazonaws.com/a/b'],
    ['accelerated', { region, accelerate: true }, 'lake.s3-accelerate.amazonaws.com/a/b'],
    [
      'accelerated, dual stack',
      { region, accelerate: true, dualStack: true },
      'lake.s3-accelerate.dualstack.amazonaws.com/a/b',
    ],
    [
      'a VPC endpoint',
      { region, endpoint: 'https://bucket.vpce-1a-2b.s3.eu-west-1.vpce.amazonaws.com' },
      'lake.bucket.vpce-1a-2b.s3.eu-west-1.vpce.amazonaws.com/a/b',
    ],
    ['another server', { endpoint: 'http://127.0.0.1:1' }, '127.0.0.1/lake/a/b'],
    [
      'another server, virtual hosts',
      { endpoint: 'https://s3.example.com', forcePathStyle: false },
      'lake.s3.example.com/a/b',
    ],
  ])('%s', async (_, options, expected) => {
    const { hostname, path } = await sendOne(options);
    expect(hostname + path).toBe(expected);
  });

  test('follows the environment of AWS, unless the server is another', async () => {
    process.env['AWS_USE_DUALSTACK_ENDPOINT'] = process.env['AWS_USE_FIPS_ENDPOINT'] = 'true';
    try {
      const { hostname } = await sendOne({ region });
      expect(hostname).toBe('lake.s3-fips.dualstack.eu-west-1.amazonaws.com');
      jest.restoreAllMocks();
      expect((await sendOne({ endpoint: 'http://127.0.0.1:1' })).hostname).toBe('127.0.0.1');
    } finally {
      delete process.env['AWS_USE_DUALSTACK_ENDPOINT'];
      delete process.env['AWS_USE_FIPS_ENDPOINT'];
    }
  });

  test('checksums and unsigned bodies are for AWS, by default', async () => {
    const { headers } = await sendOne({ region });
    expect(headers).toMatchObject({
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-amz-checksum-crc32': checksumOf('crc32', Buffer.from('hello')),
    });
  });

  test.each([
    ['s3.eu-west-1.amazonaws.com', true],
    ['s3-fips.us-gov-west-1.amazonaws.com', true],
    ['s3.dualstack.eu-west-1.amazonaws.com', true],
    ['bucket.vpce-1-2.s3.eu-west-1.vpce.amazonaws.com', true],
    ['s3.cn-north-1.amazonaws.com.cn', true],
    ['s3.eusc-de-east-1.amazonaws.eu', true],
    ['amazonaws.com.example.org', false],
    ['notamazonaws.com', false],
    ['account.r2.cloudflarestorage.com', false],
    ['127.0.0.1', false],
  ])('%s is AWS: %s', (host, expected) => {
    expect(isAws(host)).toBe(expected);
  });

  test('an access point’s alias is a bucket; its ARN is an error that names the alias', async () => {
    const sent = outgoing();
    using s3 = new S3Connection({ region, credentials, retry: { maxRetries: 0 } });
    const alias = 'my-point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias';
    await failure(s3.store(alias).put('a', Buffer.from('x')));
    expect(sent[0]?.hostname).toBe(`${alias}.s3.eu-west-1.amazonaws.com`);
    expect(() => s3.store('arn:aws:s3:eu-west-1:123456789012:accesspoint/my-point')).toThrow(
      expect.objectContaining({
        code: 'InvalidUri',
        message: expect.stringContaining('-s3alias') as string,
      }) as Error,
    );
  });
});

test('a server without a requested feature is distinguished from a wrong request', async () => {
  const gateway = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials,
    faults: () => ({ failure: { kind: 'answer', status: 400, code: 'InvalidArgument' } }),
  });
  closing.push(() => gateway.close());
  using s3 = new S3Connection({
    endpoint: gateway.endpoint,
    credentials,
    sse: { type: 'sse-s3' },
    storageClass: 'COLD',
    retry: { maxRetries: 0 },
  });
  const { message } = await failure(s3.store('lake').put('a', body));
  expect(message).toMatch(/perhaps the server does not offer the encryption sse-s3, the storage class COLD/);
});
