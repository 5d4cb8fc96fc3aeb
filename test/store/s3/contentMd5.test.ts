/** Buckets that require a checksum with every body, and servers that know only `Content-MD5`. */
import { createHash } from 'node:crypto';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import { altered, type Altered, type ProxyReply, type ProxyRequest } from '../alteringProxy.js';
import { answer, failure } from '../s3support.js';

const newer = ({ headers }: ProxyRequest): boolean =>
  Object.keys(headers).some((name) => /^x-amz-(sdk-)?checksum|^x-amz-trailer/.test(name));

const refusal = (status: number, code: string, message: string): ProxyReply => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
});

/** A server that knows no newer checksums. */
const older = (request: ProxyRequest): ProxyReply | undefined =>
  newer(request) ? refusal(501, 'NotImplemented', 'A header is not implemented.') : undefined;

/** A bucket under Object Lock. */
const locked =
  (code: string, message: string) =>
  (request: ProxyRequest): ProxyReply | undefined => {
    const body = request.method === 'PUT' && request.headers['x-amz-copy-source'] === undefined;
    return body && !newer(request) && request.headers['content-md5'] === undefined
      ? refusal(400, code, message)
      : undefined;
  };

const lock = locked(
  'InvalidRequest',
  'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
);

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function server(instead: Altered['instead'], options: S3Options = {}): Promise<Altered> {
  const made = await altered(options);
  closing.push(() => made.close());
  made.instead = instead;
  return made;
}

const body = Buffer.from('hello');

async function writes({ store, lake }: Altered): Promise<void> {
  await answer(store.put('a', body));
  await answer(store.put('b', body, { ifNoneMatch: '*' }));
  const { uploadId } = await answer(store.createUpload('c'));
  const part = await answer(store.uploadPart('c', uploadId, 1, body));
  await answer(store.completeUpload('c', uploadId, [part]));
  await answer(store.copy('a', 'd'));
  expect(await answer(store.delete(['a', 'b']))).toEqual([]);
  expect((await answer(lake.list({}))).objects.map(({ key, size }) => [key, size])).toEqual([
    ['c', 5],
    ['d', 5],
  ]);
}

const md5s = ({ requests }: Altered): (string | undefined)[] =>
  requests
    .filter(({ method, headers }) => method === 'PUT' && headers['x-amz-copy-source'] === undefined)
    .map(({ headers }) => headers['content-md5'] as string | undefined);

const sum = createHash('md5').update(body).digest('base64');

test.each<[string, Altered['instead']]>([
  ['says so in words', lock],
  ['says so by its code', locked('MissingContentMD5', 'A header is missing.')],
  ['knows no other', (request) => older(request) ?? lock(request)],
])('a bucket that requires a checksum and %s gets Content-MD5 after one refusal', async (_, instead) => {
  const made = await server(instead);
  await writes(made);
  expect(md5s(made)).toEqual([undefined, sum, sum, sum]);
});

test('a bucket that requires none gets none', async () => {
  const made = await server(older);
  await writes(made);
  expect(md5s(made)).toEqual([undefined, undefined, undefined]);
});

test.each(['crc32', 'md5'] as const)('a configured checksum is sent from the start: %s', async (checksum) => {
  const made = await server(lock, { checksum });
  await writes(made);
  expect(md5s(made)).toEqual(Array(3).fill(checksum === 'md5' ? sum : undefined));
});

test('if it cannot be sent, the error names the option', async () => {
  const made = await server(lock, { chunkedEncoding: true, payloadSigning: 'signed' });
  expect(await failure(made.store.put('a', body))).toMatchObject({
    code: 'InvalidRequest',
    retryable: false,
    message: expect.stringContaining('set `s3.integrity-check-algorithm`') as string,
  });
});

test('a bucket that still refuses is not asked again', async () => {
  const made = await server(({ method }) =>
    method === 'PUT' ? refusal(400, 'InvalidRequest', 'x-amz-checksum-sha256 is required') : undefined,
  );
  expect(await failure(made.store.put('a', body))).toMatchObject({ code: 'InvalidRequest' });
  expect(md5s(made)).toEqual([undefined, sum]);
});

test('MD5 in chunks is refused', () => {
  expect(() => new S3Connection({ checksum: 'md5', chunkedEncoding: true })).toThrow(
    expect.objectContaining({ code: 'InvalidS3Options' }) as Error,
  );
});
