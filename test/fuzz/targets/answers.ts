/** Answers of a server, changed: status, headers and body of each call of a store over S3. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { lastValueFrom, type Observable } from 'rxjs';
import type { ObjectInfo, ObjectStore } from 'millrace/stores';
import { S3Connection } from '#src/store/s3/index.js';
import { between, pick } from '../../simulation/random.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

interface Answer {
  readonly call: string;
  readonly head: Buffer;
  readonly body: Buffer;
  /** Only times were changed: no request may fail for that. */
  readonly harmless: boolean;
}

interface Call {
  readonly status: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  ask(store: ObjectStore, s3: S3Connection): Observable<unknown>;
}

const described = {
  ETag: '"5d41402abc4b2a76b9719d911017c592"',
  'Last-Modified': 'Wed, 21 Oct 2026 07:28:00 GMT',
  'Content-Type': 'text/plain',
  'x-amz-meta-name': '=?UTF-8?Q?gr=C3=BC=C3=9Fe?=',
  'x-amz-storage-class': 'STANDARD',
  'x-amz-checksum-crc32': 'NhCmhg==',
  'x-amz-checksum-type': 'FULL_OBJECT',
  'x-amz-server-side-encryption': 'AES256',
  'x-amz-expiration': 'expiry-date="Fri, 21 Dec 2026 00:00:00 GMT", rule-id="r"',
  Expires: 'Thu, 01 Dec 2026 16:00:00 GMT',
};
const xml = (content: string): string => `<?xml version="1.0" encoding="UTF-8"?>${content}`;

const calls: Readonly<Record<string, Call>> = {
  head: {
    status: '200 OK',
    headers: { ...described, 'content-length': '5' },
    body: '',
    ask: (store) => store.head('a'),
  },
  get: {
    status: '200 OK',
    headers: { ...described, 'content-length': '5' },
    body: 'hello',
    ask: (store) => store.get('a'),
  },
  range: {
    status: '206 Partial Content',
    headers: { ...described, 'content-length': '3', 'Content-Range': 'bytes 1-3/5' },
    body: 'ell',
    ask: (store) => store.get('a', { range: { start: 1, end: 4 } }),
  },
  put: {
    status: '200 OK',
    headers: { ETag: described.ETag, 'content-length': '0' },
    body: '',
    ask: (store) => store.put('a', Buffer.from('hello')),
  },
  list: {
    status: '200 OK',
    headers: { 'Content-Type': 'application/xml' },
    body: xml(
      '<ListBucketResult><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents><Key>a%20b</Key><LastModified>2026-10-21T07:28:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>5</Size></Contents><Contents><Key>b</Key><LastModified>2026-10-21T07:28:00Z</LastModified><ETag>"y"</ETag><Size>6</Size></Contents></ListBucketResult>',
    ),
    ask: (store) => store.list({}),
  },
  delete: {
    status: '200 OK',
    headers: { 'Content-Type': 'application/xml' },
    body: xml('<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>'),
    ask: (store) => store.delete(['a', 'b']),
  },
  createUpload: {
    status: '200 OK',
    headers: { 'Content-Type': 'application/xml' },
    body: xml('<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>'),
    ask: (store) => store.createUpload('a'),
  },
  complete: {
    status: '200 OK',
    headers: { 'Content-Type': 'application/xml' },
    body: xml('<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>'),
    ask: (store) => store.completeUpload('a', 'u', [{ number: 1, etag: 'e', size: 5 }]),
  },
  parts: {
    status: '200 OK',
    headers: { 'Content-Type': 'application/xml', 'x-amz-abort-date': 'Fri, 21 Dec 2026 00:00:00 GMT' },
    body: xml(
      '<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><LastModified>2026-10-21T07:28:00Z</LastModified><ETag>"e"</ETag><Size>5</Size></Part></ListPartsResult>',
    ),
    ask: (store) => store.listParts('a', 'u'),
  },
  uploads: {
    status: '200 OK',
    headers: { 'Content-Type': 'application/xml' },
    body: xml(
      '<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>a</Key><UploadId>u</UploadId><Initiated>2026-10-21T07:28:00Z</Initiated></Upload></ListMultipartUploadsResult>',
    ),
    ask: (store) => store.listUploads({ prefix: '' }),
  },
  lifecycle: {
    status: '200 OK',
    headers: { 'Content-Type': 'application/xml' },
    body: xml(
      '<LifecycleConfiguration><Rule><ID>r</ID><Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Date>2026-10-21T00:00:00.000Z</Date></Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>',
    ),
    ask: (_, s3) => s3.lifecycle('lake'),
  },
  throttled: {
    status: '503 Slow Down',
    headers: { 'Content-Type': 'application/xml', 'Retry-After': 'Wed, 21 Oct 2026 07:28:05 GMT' },
    body: xml('<Error><Code>SlowDown</Code><Message>Please</Message></Error>'),
    ask: (store) => store.head('a'),
  },
};

interface Served {
  readonly endpoint: string;
  answer: Answer | undefined;
}

let served: Promise<Served> | undefined;

/** One for the thread, which does not wait for it. */
async function serve(): Promise<Served> {
  const server = createServer((request) => {
    const { socket } = request;
    request.resume().once('end', () => {
      const { head = '', body = '' } = result.answer ?? {};
      socket.end(Buffer.concat([Buffer.from(head), Buffer.from(body)]));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const { port } = server.address() as AddressInfo;
  const result: Served = { endpoint: `http://127.0.0.1:${port}`, answer: undefined };
  return result;
}

const dates: readonly string[] = ['Date', 'Last-Modified', 'Expires', 'x-amz-abort-date'];

/** Changes the times in a document, and no markup. */
function withOtherTimes(random: () => number, body: string): string {
  return body.replaceAll(/(?<=<(?:LastModified|Date)>)[^<]*/g, (time) =>
    mutated(random, Buffer.from(time))
      .toString('latin1')
      .replaceAll(/[^ -~]|[<>&]/g, ' '),
  );
}

function lost(cause: unknown): never {
  throw new TypeError('It was lost to what a time says.', { cause });
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** A key that is told is a string, a size a number of bytes, a time one that a date can hold. */
function check(value: unknown): void {
  if (Array.isArray(value)) value.forEach(check);
  else if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
    const { size, modified, initiated, etag } = value as Partial<ObjectInfo> & { initiated?: number };
    if (size !== undefined && !isCount(size)) throw new TypeError(`Size ${size}`);
    for (const time of [modified, initiated])
      if (time !== undefined && Number.isNaN(new Date(time).getTime())) throw new TypeError(`Time ${time}`);
    if (etag !== undefined && typeof etag !== 'string') throw new TypeError(`ETag ${String(etag)}`);
    Object.values(value).forEach(check);
  }
}

export const answerTargets = [
  target({
    name: 'answer of a server',
    share: 0.3,
    errors: [
      'AlreadyExists',
      'Conflict',
      'Expired',
      'Integrity',
      'InvalidPart',
      'InvalidRequest',
      'NotFound',
      'NotModified',
      'NotSupported',
      'PermissionDenied',
      'PreconditionFailed',
      'Throttled',
      'TooSmall',
      'Unavailable',
    ],
    draw: (random): Answer => {
      const [call, { status, headers, body }] = pick(random, Object.entries(calls));
      const changed = pick(random, ['header', 'header', 'date', 'date', 'head', 'body']);
      const names = Object.keys(headers);
      const date = { Date: 'Wed, 21 Oct 2026 07:28:00 GMT', Connection: 'close' };
      const lines = Object.entries({ ...headers, ...date }).map(([name, value]) => {
        const hit =
          changed === 'date'
            ? dates.includes(name)
            : changed === 'header' && (name === 'Date' || between(random, 0, names.length) < 2);
        const bytes = hit ? mutated(random, Buffer.from(value)) : Buffer.from(value);
        // Others would only cut the headers.
        return `${name}: ${bytes.toString('latin1').replaceAll(/[^ -~]/g, ' ')}\r\n`;
      });
      const head = Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`, 'latin1');
      return {
        call,
        head: changed === 'head' ? mutated(random, head) : head,
        body:
          changed === 'body'
            ? mutated(random, Buffer.from(body))
            : Buffer.from(changed === 'date' ? withOtherTimes(random, body) : body),
        harmless: changed === 'date' && call !== 'throttled' && !body.includes('<Initiated>'),
      };
    },
    run: async (answer: Answer) => {
      const server = await (served ??= serve());
      server.answer = answer;
      const call = calls[answer.call];
      if (call === undefined) return;
      // One for each input: none meets the pace, or the sockets, of another.
      const s3 = new S3Connection({
        endpoint: server.endpoint,
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
        retry: { maxRetries: 0 },
      });
      try {
        const asked = lastValueFrom(call.ask(s3.store('lake'), s3));
        check(await (answer.harmless ? asked.catch(lost) : asked));
      } finally {
        s3.close();
      }
    },
  }),
];
