import { createHash, createHmac } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import {
  CreateBucketCommand,
  GetBucketLocationCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { startGateway, type Gateway } from '../../../src/store/gateway/index.js';
import { SigV4Verifier } from '../../../src/store/gateway/sigv4.js';
import { targetOf } from '../../../src/store/gateway/target.js';
import { decodeChunked } from '../../../src/store/gateway/chunked.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { answer, credentials } from '../s3support.js';

const lake = createMemoryStore();
let now = Date.now;
let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway({
    buckets: { lake },
    credentials: [
      credentials,
      { accessKeyId: 'SESSION', secretAccessKey: 's', sessionToken: 'token' },
      { accessKeyId: 'EXPIRED', secretAccessKey: 's', sessionToken: 'token', expiration: new Date(0) },
    ],
    createBucket: () => createMemoryStore(),
    now: () => now(),
  });
});
afterAll(() => gateway.close());
afterEach(() => {
  now = Date.now;
});

function client(over: object = {}): S3Client {
  return new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    maxAttempts: 1,
    ...over,
  });
}

const put = (over: object = {}, input: object = {}): Promise<unknown> =>
  client(over).send(new PutObjectCommand({ Bucket: 'lake', Key: 'a b/ü+%', Body: 'hello', ...input }));

describe('the gateway verifies signatures', () => {
  test('the SDK’s own requests pass, with its default checksums', async () => {
    await put();
    expect(Buffer.concat((await answer(lake.get('a b/ü+%'))).chunks).toString()).toBe('hello');
  });

  test('a wrong secret is SignatureDoesNotMatch, an unknown key InvalidAccessKeyId', async () => {
    await expect(put({ credentials: { ...credentials, secretAccessKey: 'other' } })).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
      $metadata: { httpStatusCode: 403 },
    });
    await expect(put({ credentials: { ...credentials, accessKeyId: 'OTHER' } })).rejects.toMatchObject({
      name: 'InvalidAccessKeyId',
      $metadata: { httpStatusCode: 403 },
    });
  });

  test('a session token must be correct and not expired', async () => {
    const session = (accessKeyId: string, sessionToken?: string): object => ({
      credentials: {
        accessKeyId,
        secretAccessKey: 's',
        ...(sessionToken === undefined ? {} : { sessionToken }),
      },
    });
    await put(session('SESSION', 'token'));
    await expect(put(session('SESSION', 'other'))).rejects.toMatchObject({ name: 'InvalidToken' });
    await expect(put(session('SESSION'))).rejects.toMatchObject({ name: 'InvalidToken' });
    await expect(put(session('EXPIRED', 'token'))).rejects.toMatchObject({ name: 'ExpiredToken' });
  });

  test('a clock more than 15 minutes off is RequestTimeTooSkewed, either way', async () => {
    for (const minutes of [-16, 16]) {
      now = () => Date.now() + minutes * 60_000;
      await expect(put()).rejects.toMatchObject({ name: 'RequestTimeTooSkewed' });
    }
    now = () => Date.now() + 14 * 60_000;
    await put();
  });

  test('a change after signing is refused: path, query, header, method', async () => {
    const signed = sign({ method: 'GET', path: '/lake/one', headers: { 'x-amz-meta-a': '1' } });
    expect((await send(signed)).status).toBe(404);
    expect((await send({ ...signed, path: '/lake/two' })).code).toBe('SignatureDoesNotMatch');
    expect((await send({ ...signed, path: '/lake/one?a=b' })).code).toBe('SignatureDoesNotMatch');
    expect((await send({ ...signed, method: 'DELETE' })).code).toBe('SignatureDoesNotMatch');
    expect((await send({ ...signed, headers: { ...signed.headers, 'x-amz-meta-a': '2' } })).code).toBe(
      'SignatureDoesNotMatch',
    );
  });

  test('an x-amz header that is not signed is refused', async () => {
    const signed = sign({ method: 'PUT', path: '/lake/one', headers: {} });
    const reply = await send({ ...signed, headers: { ...signed.headers, 'x-amz-copy-source': '/lake/two' } });
    expect(reply.code).toBe('AccessDenied');
  });

  test('a request without a signature is AccessDenied', async () => {
    expect(await send({ method: 'GET', path: '/lake/one', headers: {}, body: '' })).toMatchObject({
      status: 403,
      code: 'AccessDenied',
    });
  });

  test('another region is refused if one is required', async () => {
    await using strict = await startGateway({ buckets: { lake }, credentials, region: 'eu-north-1' });
    const here = client({ endpoint: strict.endpoint });
    await expect(here.send(new HeadBucketCommand({ Bucket: 'lake' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 400 },
    });
    const there = client({ endpoint: strict.endpoint, region: 'eu-north-1' });
    expect(await there.send(new GetBucketLocationCommand({ Bucket: 'lake' }))).toMatchObject({
      LocationConstraint: 'eu-north-1',
    });
  });
});

describe('the gateway verifies bodies', () => {
  test('against the hash under the signature', async () => {
    const signed = sign({ method: 'PUT', path: '/lake/body', headers: {}, body: 'hello' });
    expect((await send({ ...signed, body: 'hullo' })).code).toBe('XAmzContentSHA256Mismatch');
    expect((await send(signed)).status).toBe(200);
  });

  test.each([
    ['content-md5', createHash('md5').update('hello').digest('base64')],
    ['x-amz-checksum-crc32', 'NhCmhg=='],
    ['x-amz-checksum-crc32c', 'mnG7TA=='],
    ['x-amz-checksum-sha1', createHash('sha1').update('hello').digest('base64')],
    ['x-amz-checksum-sha256', createHash('sha256').update('hello').digest('base64')],
  ])('against %s', async (name, sum) => {
    const headers = { [name]: sum, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const signed = sign({ method: 'PUT', path: '/lake/body', headers, body: 'hello' });
    expect((await send(signed)).status).toBe(200);
    expect((await send({ ...signed, body: 'hullo' })).code).toBe('BadDigest');
  });

  test('a stream of the SDK comes as aws-chunked with a trailing checksum', async () => {
    const { Readable } = await import('node:stream');
    const body = Buffer.alloc(200_000, 'x');
    await put({}, { Body: Readable.from([body]), ContentLength: body.length });
    expect((await answer(lake.head('a b/ü+%'))).size).toBe(body.length);
  });

  test('Expect: 100-continue is answered before the body is read', async () => {
    const body = Buffer.alloc(3 << 20, 'y');
    await put({ expectContinueHeader: true }, { Body: body });
    expect((await answer(lake.head('a b/ü+%'))).size).toBe(body.length);
  });

  test('a body above the limit is EntityTooLarge', async () => {
    await using small = await startGateway({ buckets: { lake }, credentials, maxBody: 4 });
    await expect(put({ endpoint: small.endpoint })).rejects.toMatchObject({ name: 'EntityTooLarge' });
  });
});

describe('signed chunks', () => {
  // The example in AWS's documentation of "Signature Calculations for the Authorization Header: multiple chunks".
  const example = {
    method: 'PUT',
    headers: {
      host: 's3.amazonaws.com',
      'x-amz-date': '20130524T000000Z',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '66560',
      'content-length': '66824',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
        'SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,' +
        'Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    },
  };
  const signatures = [
    'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
    '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
    'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
  ];
  const encoded = (letter: string): Buffer =>
    Buffer.from(
      [65536, 1024, 0]
        .map(
          (size, i) => `${size.toString(16)};chunk-signature=${signatures[i]!}\r\n${letter.repeat(size)}\r\n`,
        )
        .join(''),
    );
  const authorized = () => {
    const verifier = new SigV4Verifier(
      [{ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }],
      'us-east-1',
      () => Date.parse('2013-05-24T00:00:00Z'),
    );
    const distinct = Object.fromEntries(
      Object.entries(example.headers).map(([name, value]) => [name, [value]]),
    );
    const request = { ...example, headersDistinct: distinct } as never;
    return verifier.verify(
      request,
      targetOf('/examplebucket/chunkObject.txt', 's3.amazonaws.com', 'localhost'),
    );
  };

  test('AWS’s published example verifies', () => {
    expect(encoded('a')).toHaveLength(66824);
    expect(decodeChunked(encoded('a'), authorized()).body.equals(Buffer.alloc(66560, 'a'))).toBe(true);
  });

  test('a changed chunk, a missing one and a cut one do not', () => {
    expect(() => decodeChunked(encoded('b'), authorized())).toThrow(/does not match/);
    const first = encoded('a').indexOf('\r\n400;') + 2;
    expect(() => decodeChunked(encoded('a').subarray(first), authorized())).toThrow(/does not match/);
    expect(() => decodeChunked(encoded('a').subarray(0, 60_000), authorized())).toThrow(/are wrong/);
  });
});

describe('buckets', () => {
  test('are created by an option, once, and listed', async () => {
    await client().send(new CreateBucketCommand({ Bucket: 'new-bucket' }));
    await expect(client().send(new CreateBucketCommand({ Bucket: 'new-bucket' }))).rejects.toMatchObject({
      name: 'BucketAlreadyOwnedByYou',
    });
    await expect(client().send(new CreateBucketCommand({ Bucket: 'No' }))).rejects.toMatchObject({
      name: 'InvalidBucketName',
    });
    const { Buckets } = await client().send(new ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toEqual(['lake', 'new-bucket']);
    await expect(put({}, { Bucket: 'none' })).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });

  test('can be named in the host', async () => {
    const signed = sign({ method: 'PUT', path: '/by-host', headers: { host: 'lake.localhost' }, body: 'x' });
    expect((await send(signed)).status).toBe(200);
    expect((await answer(lake.head('by-host'))).size).toBe(1);
  });
});

interface Raw {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

/** A separate signer, written from the specification. */
function sign({ method, path, headers, body = '' }: Raw): Raw {
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const all: Record<string, string> = {
    host: new URL(gateway.endpoint).host,
    'x-amz-date': date,
    'x-amz-content-sha256': hash(body),
    ...headers,
  };
  const names = Object.keys(all).sort();
  const canonical = [
    method,
    path,
    '',
    ...names.map((name) => `${name}:${all[name]!}`),
    '',
    names.join(';'),
    all['x-amz-content-sha256']!,
  ].join('\n');
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const hmac = (key: Buffer | string, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest();
  const key = scope.split('/').reduce<Buffer | string>(hmac, `AWS4${credentials.secretAccessKey}`);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash(canonical)}`).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { method, path, headers: { ...all, authorization }, body };
}

function send({ method, path, headers, body }: Raw): Promise<{ status: number; code: string | undefined }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port: gateway.port, method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const code = /<Code>(\w+)<\/Code>/.exec(Buffer.concat(chunks).toString())?.[1];
          resolve({ status: response.statusCode ?? 0, code });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
