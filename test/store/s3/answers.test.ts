import type { Observable } from 'rxjs';
import { writeObject } from '../../../src/fs/writer/index.js';
import { S3Connection } from '../../../src/store/s3/index.js';
import type { GetOptions, ObjectStore } from '../../../src/store/objectStore.js';
import { altered, type Altered, type Alter, type ProxyReply, type ProxyRequest } from '../alteringProxy.js';
import { answer, credentials, failure } from '../s3support.js';

const body = Buffer.from(Array.from({ length: 1000 }, (_, i) => i & 0xff));

let proxy: Altered;
let store: ObjectStore;
beforeEach(async () => {
  proxy = await altered();
  store = proxy.store;
  await answer(proxy.lake.put('a', body));
  await answer(proxy.lake.put('nothing', Buffer.alloc(0)));
});
afterEach(() => proxy.close());

/** Alters the answers to requests of a kind. */
const on =
  (method: string, edit: (reply: ProxyReply, request: ProxyRequest) => void): Alter =>
  (reply, request) => {
    if (request.method === method) edit(reply, request);
    return undefined;
  };

const read = async (request: ReturnType<ObjectStore['get']>): Promise<Buffer> =>
  Buffer.concat((await answer(request)).chunks);

const html = { 'content-type': 'text/html; charset=utf-8' };
const page = '<!DOCTYPE html><html><body>Please log in<br></body></html>';
const foreign: readonly (readonly [string, ProxyReply])[] = [
  ['a page', { status: 200, headers: html, body: page }],
  ['a page that is XML', { status: 200, headers: html, body: '<html><body>Log in</body></html>' }],
  ['nothing', { status: 200, headers: {}, body: '' }],
  ['blanks', { status: 200, headers: {}, body: ' \n ' }],
  ['JSON', { status: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true}' }],
  ['another document', { status: 200, headers: {}, body: '<?xml version="1.0"?><ListAllMyBucketsResult/>' }],
  ['a document cut short', { status: 200, headers: {}, body: '<?xml version="1.0"?><ListBucketResult><Is' }],
  ['a redirect', { status: 302, headers: { location: 'https://login.example.com/?token=secret' }, body: '' }],
  ['a redirect without a region', { status: 307, headers: {}, body: '' }],
  ['a page for what is missing', { status: 404, headers: html, body: page }],
];

const requests: Readonly<Record<string, (of: ObjectStore) => Observable<unknown>>> = {
  head: (of) => of.head('a'),
  get: (of) => of.get('a'),
  'get of a range': (of) => of.get('a', { range: { start: 1, end: 5 } }),
  list: (of) => of.list({}),
  put: (of) => of.put('b', body),
  'put, create only': (of) => of.put('b', body, { ifNoneMatch: '*' }),
  copy: (of) => of.copy('a', 'b'),
  createUpload: (of) => of.createUpload('b'),
  uploadPart: (of) => of.uploadPart('b', 'id', 1, body),
  copyPart: (of) => of.copyPart('b', 'id', 1, { key: 'a', range: { start: 0, end: 5 } }),
  listParts: (of) => of.listParts('b', 'id'),
  listUploads: (of) => of.listUploads({ prefix: '' }),
  completeUpload: (of) => of.completeUpload('b', 'id', [{ number: 1, etag: 'x', size: 1 }]),
  abortUpload: (of) => of.abortUpload('b', 'id'),
};

describe('an answer that is not of S3 is a permanent error', () => {
  // If S3 sends no body, none can be wrong.
  const silent = ['nothing', 'blanks'];

  test.each(foreign)('%s', async (name, reply) => {
    proxy.instead = () => reply;
    for (const [kind, request] of Object.entries(requests)) {
      if (kind === 'abortUpload' && silent.includes(name)) continue;
      const error = await failure(request(store));
      expect([kind, error]).toMatchObject([kind, { name: 'StoreError', retryable: false }]);
      expect(error.code).toBe('NotSupported');
      expect(error.message).not.toContain('secret');
    }
  });

  test.each(foreign.filter(([name]) => !silent.includes(name)))('%s, to a delete', async (_, reply) => {
    proxy.instead = () => reply;
    expect(await failure(store.delete(['a']))).toMatchObject({ code: 'NotSupported' });
    // A key that XML cannot carry goes alone.
    const [alone] = await answer(store.delete(['x\u0001']));
    expect(alone?.error).toMatchObject({
      code: expect.stringMatching(/^(NotSupported|Unavailable)$/) as string,
    });
  });
});

test('a missing object is distinguished from a web page about one', async () => {
  expect(await failure(store.get('none'))).toMatchObject({ code: 'NotFound' });
  expect(await failure(store.head('none'))).toMatchObject({ code: 'NotFound' });
  proxy.alter = (reply) => ({ ...reply, headers: { ...reply.headers, ...html } });
  expect(await failure(store.get('none'))).toMatchObject({ code: 'Unavailable', status: 404 });
  expect(await failure(store.head('none'))).toMatchObject({ code: 'Unavailable', status: 404 });
  // An object may be a page.
  expect(await read(store.get('a'))).toEqual(body);
});

test('a redirect names the host that it points to', async () => {
  proxy.instead = () => ({
    status: 302,
    headers: { location: 'https://login.example.com/?token=secret' },
    body: '',
  });
  expect((await failure(store.list({}))).message).toContain(
    'a redirect to login.example.com, which is not followed',
  );
});

describe('a write has succeeded if the answer proves it', () => {
  const withoutEtag: Alter = (reply) => {
    if (Buffer.isBuffer(reply.body)) reply.body = reply.body.toString().replace(/<ETag>.*?<\/ETag>/, '');
    reply.headers['etag'] = undefined;
    return undefined;
  };

  test.each(['put', 'put, create only', 'copy'])('%s without an ETag proves nothing', async (kind) => {
    proxy.alter = withoutEtag;
    expect(await failure(requests[kind]?.(store) ?? fail())).toMatchObject({
      code: 'NotSupported',
      retryable: false,
    });
    expect((await answer(proxy.lake.head('b'))).size).toBe(body.length);
  });

  test('is verified if it has a mark: what only creates, and what is completed', async () => {
    proxy.alter = (reply, request) =>
      request.query.has('partNumber') || request.query.has('uploads') || request.method === 'HEAD'
        ? undefined
        : withoutEtag(reply, request);
    for (const [key, size, options] of [
      ['c', 4, { assumeObjectNotExists: true }],
      ['d', 9 * 2 ** 20, {}],
    ] as const) {
      const target = { store, key, uri: `s3://lake/${key}` };
      const written = await answer(writeObject(target, Buffer.alloc(size), options));
      const { etag } = await answer(proxy.lake.head(key));
      expect(written).toMatchObject({ etag, size, modified: true });
    }
  });

  test('so are parts, copied parts and Complete', async () => {
    const { uploadId } = await answer(store.createUpload('b'));
    const part = await answer(store.uploadPart('b', uploadId, 1, body));
    proxy.alter = withoutEtag;
    for (const request of [
      store.uploadPart('b', uploadId, 2, body),
      store.copyPart('b', uploadId, 3, { key: 'nothing', range: { start: 0, end: 1 } }),
      store.completeUpload('b', uploadId, [part]),
    ])
      expect((await failure(request)).code).toMatch(/^(NotSupported|InvalidRequest)$/);
  });

  test('an upload has an id', async () => {
    for (const id of ['', '<UploadId></UploadId>', '<UploadId/>']) {
      proxy.alter = on('POST', (reply) => {
        reply.body = reply.body.toString().replace(/<UploadId>.*<\/UploadId>/, id);
      });
      expect(await failure(store.createUpload('b'))).toMatchObject({ code: 'NotSupported' });
    }
  });

  const errorIn200 = (code: string, end = ''): ProxyReply => ({
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n\n  <Error><Code>${code}</Code><Message>We failed.</Message></Error>${end}`,
  });

  test.each([
    ['copy', 'PUT'],
    ['copyPart', 'PUT'],
    ['completeUpload', 'POST'],
  ])('%s that is answered 200 with an error has failed', async (kind, method) => {
    const { uploadId } = await answer(proxy.lake.createUpload('b'));
    const requestTo = (store: ObjectStore): Observable<unknown> =>
      kind === 'copy'
        ? store.copy('a', 'b')
        : kind === 'copyPart'
          ? store.copyPart('b', uploadId, 1, { key: 'a', range: { start: 0, end: 5 } })
          : store.completeUpload('b', uploadId, [{ number: 1, etag: 'x', size: 1 }]);
    for (const end of ['', '\n', '<!-- -->\n']) {
      for (const [code, expected] of [
        ['InternalError', { code: 'Unavailable', retryable: true }],
        ['SlowDown', { code: 'Throttled', retryable: true }],
        ['NoSuchUpload', { code: 'NotFound', retryable: false }],
        ['SomethingNew', { code: 'Unavailable', retryable: true }],
      ] as const) {
        proxy.instead = (request) => (request.method === method ? errorIn200(code, end) : undefined);
        // A connection that was throttled waits before its next request.
        using s3 = new S3Connection({ endpoint: proxy.endpoint, credentials, retry: { maxRetries: 0 } });
        expect(await failure(requestTo(s3.store('lake')))).toMatchObject(expected);
      }
    }
  });

  test('blanks before the document, which S3 sends while it works, are accepted', async () => {
    const { uploadId } = await answer(store.createUpload('b'));
    const part = await answer(store.uploadPart('b', uploadId, 1, body));
    proxy.alter = on('POST', (reply) => {
      const [declaration, ...rest] = reply.body.toString().split('?>');
      reply.body = `${declaration ?? ''}?>${' \n'.repeat(5000)}${rest.join('?>')}`;
    });
    await answer(store.completeUpload('b', uploadId, [part]));
    expect((await answer(proxy.lake.head('b'))).size).toBe(body.length);
  });
});

describe('a batch delete', () => {
  const keys = ['k1', 'k2', 'k3 <&>', 'k4'];
  beforeEach(async () => {
    for (const key of keys) await answer(proxy.lake.put(key, body));
  });

  test('that answers for fewer keys than requested deletes the others one by one', async () => {
    proxy.instead = ({ method, query }) =>
      method === 'POST' && query.has('delete')
        ? { status: 200, headers: {}, body: '<DeleteResult><Deleted><Key>k1</Key></Deleted></DeleteResult>' }
        : undefined;
    expect(await answer(store.delete(keys))).toEqual([]);
    const singles = proxy.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path);
    expect(singles).toEqual(['/lake/k2', '/lake/k3 <&>', '/lake/k4']);
    const { objects } = await answer(proxy.lake.list({ prefix: 'k' }));
    expect(objects.map(({ key }) => key)).toEqual(['k1']);
  });

  test('ignores an error that names no key of the batch', async () => {
    proxy.instead = ({ method, query }) =>
      method === 'POST' && query.has('delete')
        ? {
            status: 200,
            headers: {},
            body: '<DeleteResult><Error><Code>InternalError</Code></Error><Error><Key>k4</Key><Code>AccessDenied</Code></Error></DeleteResult>',
          }
        : undefined;
    const failures = await answer(store.delete(keys));
    expect(failures).toEqual([
      { key: 'k4', error: expect.objectContaining({ code: 'PermissionDenied' }) as Error },
    ]);
    expect(await failure(proxy.lake.head('k1'))).toMatchObject({ code: 'NotFound' });
  });

  test('takes one request if all keys are answered', async () => {
    expect(await answer(store.delete([...keys, 'missing']))).toEqual([]);
    expect(proxy.requests).toHaveLength(1);
  });
});

describe('the length of an object', () => {
  test('that a HEAD omits comes from a ranged read', async () => {
    proxy.alter = on('HEAD', (reply) => {
      reply.headers['content-length'] = undefined;
    });
    expect((await answer(store.head('a'))).size).toBe(body.length);
    expect((await answer(store.head('nothing'))).size).toBe(0);
  });

  test('that a HEAD exaggerates beyond the range of a number comes from a ranged read, too', async () => {
    proxy.alter = on('HEAD', (reply) => {
      reply.headers['content-length'] = '5555555555555555555';
    });
    expect((await answer(store.head('a'))).size).toBe(body.length);
  });

  test('that every answer omits is an error, not zero', async () => {
    proxy.alter = (reply, { headers }) => {
      reply.headers['content-length'] = undefined;
      if (headers.range !== undefined) reply.status = 200;
      reply.headers['content-range'] = undefined;
      return undefined;
    };
    expect(await failure(store.head('a'))).toMatchObject({ code: 'NotSupported', retryable: false });
    expect(await failure(store.get('a'))).toMatchObject({ code: 'NotSupported', retryable: false });
  });

  test('that a GET omits comes from a ranged one, with the bytes', async () => {
    proxy.alter = on('GET', (reply) => {
      reply.headers['content-length'] = undefined;
    });
    const { info, chunks } = await answer(store.get('a'));
    expect([info.size, Buffer.concat(chunks)]).toEqual([body.length, body]);
    expect(await read(store.get('nothing'))).toEqual(Buffer.alloc(0));
    expect(await read(store.get('a', { range: { start: 3, end: 9 } }))).toEqual(body.subarray(3, 9));
  });
});

describe('a ranged read', () => {
  const range = { start: 100, end: 200 };

  test.each<[string, (reply: ProxyReply) => void, string]>([
    ['answered with everything', (reply) => void (reply.body = body), 'NotSupported'],
    ['answered without its place', () => undefined, 'Integrity'],
    [
      'answered with another place',
      (reply) => void (reply.headers['content-range'] = 'bytes 1-100/1000'),
      'Integrity',
    ],
    [
      'answered with less',
      (reply) => void (reply.headers['content-range'] = 'bytes 100-149/1000'),
      'Integrity',
    ],
    [
      'answered without the whole size',
      (reply) => void (reply.headers['content-range'] = 'bytes 100-199/*'),
      'Integrity',
    ],
  ])('%s is an error', async (what, edit, code) => {
    proxy.alter = on('GET', (reply) => {
      reply.headers['content-range'] = undefined;
      if (what === 'answered with everything') reply.status = 200;
      edit(reply);
    });
    expect(await failure(store.get('a', { range }))).toMatchObject({ code });
    if (what !== 'answered with everything')
      expect(await failure(store.get('a', { range: { start: 0, end: 100 } }))).toMatchObject({ code });
  });

  test('from the start that is answered with all of an object within it is one', async () => {
    proxy.alter = on('GET', (reply) => {
      reply.status = 200;
      reply.headers['content-range'] = undefined;
    });
    expect(await read(store.get('a', { range: { start: 0, end: 5000 } }))).toEqual(body);
  });

  test('of fewer or more bytes than its place promises is Integrity', async () => {
    for (const length of [50, 99, 101, 150]) {
      proxy.alter = on('GET', (reply) => {
        reply.body = body.subarray(100, 100 + length);
      });
      expect(await failure(store.get('a', { range }))).toMatchObject({ code: 'Integrity', retryable: true });
    }
  });

  test('that is refused (416) although the object has such bytes is Integrity', async () => {
    proxy.instead = ({ method }) =>
      method === 'GET'
        ? { status: 416, headers: {}, body: '<Error><Code>InvalidRange</Code></Error>' }
        : undefined;
    expect(await failure(store.get('a', { range }))).toMatchObject({ code: 'Integrity', retryable: true });
    expect(await read(store.get('a', { range: { start: 1000, end: 1001 } }))).toEqual(Buffer.alloc(0));
  });

  test('that was not requested is Integrity', async () => {
    proxy.alter = on('GET', (reply) => {
      reply.status = 206;
      reply.headers['content-range'] = 'bytes 0-999/2000';
    });
    expect(await failure(store.get('a'))).toMatchObject({ code: 'Integrity' });
  });
});

describe('the version of an object', () => {
  test('is reported by every answer', async () => {
    proxy.alter = (reply) => {
      reply.headers['etag'] = undefined;
      return undefined;
    };
    expect(await failure(store.head('a'))).toMatchObject({ code: 'NotSupported' });
    expect(await failure(store.get('a'))).toMatchObject({ code: 'NotSupported' });
  });

  /** A server that does not look at If-Match. */
  const careless = (of: ObjectStore): ObjectStore =>
    new Proxy(of, {
      get: (target, name: keyof ObjectStore) =>
        name === 'head'
          ? (key: string) => target.head(key)
          : name === 'get'
            ? (key: string, options: GetOptions = {}) =>
                target.get(key, { range: options.range ?? { start: 0 } })
            : (target[name] as (...args: unknown[]) => unknown).bind(target),
    });

  test('is the requested one, although the server ignores If-Match', async () => {
    await proxy.close();
    proxy = await altered({}, { lake: careless(proxy.lake) });
    const { etag } = await answer(proxy.lake.head('a'));
    expect(await read(proxy.store.get('a', { ifMatch: etag }))).toEqual(body);
    await answer(proxy.lake.put('a', Buffer.from('another')));
    expect(await failure(proxy.store.head('a', { ifMatch: etag }))).toMatchObject({
      code: 'PreconditionFailed',
    });
    expect(await failure(proxy.store.get('a', { ifMatch: etag }))).toMatchObject({
      code: 'PreconditionFailed',
    });
  });

  test('stays the same when a read continues after a break', async () => {
    await proxy.close();
    proxy = await altered({}, { lake: careless(proxy.lake) });
    const { etag } = await answer(proxy.lake.head('a'));
    proxy.instead = ({ method }) => {
      if (method !== 'GET' || proxy.requests.length > 1) return undefined;
      proxy.lake.put('a', Buffer.alloc(1000, 'y')).subscribe();
      const headers = { etag: `"${etag}"`, 'content-length': '1000' };
      return { status: 200, headers, body: body.subarray(0, 500), cut: true };
    };
    expect(await failure(proxy.store.get('a'))).toMatchObject({ code: 'Integrity', retryable: true });
  });
});

describe('a weak ETag', () => {
  const weaken: Alter = (reply) => {
    const { etag } = reply.headers;
    if (etag !== undefined) reply.headers['etag'] = `W/${String(etag)}`;
    if (!(reply.body instanceof Buffer) || !reply.body.includes('<ETag>')) return undefined;
    reply.body = reply.body.toString().replaceAll('<ETag>&quot;', '<ETag>W/&quot;');
    return undefined;
  };
  beforeEach(() => {
    proxy.alter = weaken;
  });

  test('is treated as the strong one everywhere', async () => {
    const { etag } = await answer(proxy.lake.head('a'));
    expect((await answer(store.head('a'))).etag).toBe(etag);
    expect((await answer(store.get('a'))).info.etag).toBe(etag);
    expect((await answer(store.list({ prefix: 'a' }))).objects).toMatchObject([{ etag }]);
    expect((await answer(store.put('a', body))).etag).toBe(etag);
    expect((await answer(store.copy('a', 'b', { ifMatch: etag }))).etag).toBe(etag);
    const { uploadId } = await answer(store.createUpload('c'));
    const part = await answer(store.uploadPart('c', uploadId, 1, body));
    const copied = await answer(store.copyPart('c', uploadId, 2, { key: 'a', ifMatch: etag }));
    expect([part.etag, copied.etag]).toEqual([etag, etag]);
    expect((await answer(store.listParts('c', uploadId))).parts.map((one) => one.etag)).toEqual([etag, etag]);
    const done = await answer(store.completeUpload('c', uploadId, [part]));
    expect(done.etag).toBe((await answer(proxy.lake.head('c'))).etag);
  });

  test('pins a read, and a replaced object is detected', async () => {
    const { etag } = await answer(store.head('a'));
    expect(await read(store.get('a', { ifMatch: etag, range: { start: 0, end: 10 } }))).toEqual(
      body.subarray(0, 10),
    );
    await answer(store.put('a', Buffer.from('x'), { ifMatch: etag }));
    expect(await failure(store.get('a', { ifMatch: etag }))).toMatchObject({ code: 'PreconditionFailed' });
    expect(await failure(store.head('a', { ifMatch: etag }))).toMatchObject({ code: 'PreconditionFailed' });
    expect(await failure(store.put('a', body, { ifMatch: etag }))).toMatchObject({
      code: 'PreconditionFailed',
    });
  });

  test('that no condition matches pins by the ETag of the answer', async () => {
    const { etag } = await answer(store.head('a'));
    proxy.instead = ({ headers }) =>
      headers['if-match'] === undefined ? undefined : { status: 412, headers: html, body: page };
    expect((await answer(store.head('a', { ifMatch: etag }))).size).toBe(1000);
    expect(await read(store.get('a', { ifMatch: etag }))).toEqual(body);
    await answer(proxy.lake.put('a', Buffer.from('x')));
    expect(await failure(store.head('a', { ifMatch: etag }))).toMatchObject({ code: 'PreconditionFailed' });
    expect(await failure(store.get('a', { ifMatch: etag }))).toMatchObject({ code: 'PreconditionFailed' });
    // One that changes between the requests is detected by the answer.
    await answer(proxy.lake.put('a', body));
    proxy.instead = ({ method, headers }) => {
      if (headers['if-match'] !== undefined) return { status: 412, headers: {}, body: '' };
      if (method === 'GET') proxy.lake.put('a', Buffer.from('y')).subscribe();
      return undefined;
    };
    expect(await failure(store.get('a', { ifMatch: etag }))).toMatchObject({ code: 'PreconditionFailed' });
  });
});

function fail(): never {
  throw new Error('There is no such request.');
}
