/** Whatever a server answers, requests end with typed errors, and the next one succeeds. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { lastValueFrom, type Observable } from 'rxjs';
import { openStores, type ObjectStore } from '../../src/entries/stores.js';

let server: Server | undefined;
let stores: ReturnType<typeof openStores> | undefined;

afterEach(async () => {
  stores?.close();
  server?.closeAllConnections();
  if (server !== undefined) await once(server.close(), 'close');
});

async function opened(answer: RequestListener): Promise<ObjectStore> {
  server = createServer((request, response) => {
    request.resume();
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  stores = openStores({
    s3: {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      forcePathStyle: true,
    },
  });
  return stores.open('s3://lake').store;
}

const listing = (content: string): string =>
  `<ListBucketResult>${content}<IsTruncated>false</IsTruncated></ListBucketResult>`;

test('comments without a root are scanned once', async () => {
  const store = await opened((_, response) => response.end('<!---->'.repeat(10_000)));
  await expect(lastValueFrom(store.list({}))).rejects.toMatchObject({ code: 'NotSupported' });
});

test('the root is found after a mark, a declaration, comments and blanks', async () => {
  const before = '\ufeff<?xml version="1.0"?> <!-- <a> --> \n<!-- - -->';
  const store = await opened((_, response) => response.end(`${before}<html>`));
  await expect(lastValueFrom(store.list({}))).rejects.toMatchObject({
    message: expect.stringContaining('a document <html>') as string,
  });
});

test.each(['-5', '1.5', 'many', '99999999999999999999'])(
  '%s is not accepted as the size of an object',
  async (size) => {
    const object = `<Contents><Key>k</Key><ETag>"e"</ETag><Size>${size}</Size></Contents>`;
    const store = await opened((_, response) => response.end(listing(object)));
    await expect(lastValueFrom(store.list({}))).rejects.toMatchObject({
      code: 'NotSupported',
      message: expect.stringContaining('has no size of an object') as string,
    });
  },
);

test.each(['Sat, 13 Sep 275760 00:00:00 GMT', 'no date', 'Fri, 31 Dec 12000 23:59:59 GMT'])(
  'a server’s clock that shows %s spoils no later request',
  async (date) => {
    const store = await opened((_, response) => {
      response.writeHead(200, { date, etag: '"e"', 'content-length': 1 }).end('x');
    });
    for (let i = 0; i < 3; i++)
      await expect(lastValueFrom(store.head('k'))).resolves.toMatchObject({ size: 1 });
  },
);

test('an answer that switches protocols fails the request', async () => {
  const store = await opened(({ socket }) => {
    socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
  });
  await expect(lastValueFrom(store.get('k'))).rejects.toMatchObject({ code: 'Unavailable', retryable: true });
});

test('an invalid region in an answer is ignored', async () => {
  const asked: unknown[] = [];
  const store = await opened(({ headers }, response) => {
    asked.push(headers.host);
    response.writeHead(403, { 'x-amz-bucket-region': 'evil.example/' }).end();
  });
  await expect(lastValueFrom(store.get('k'))).rejects.toMatchObject({
    code: 'PermissionDenied',
    status: 403,
  });
  expect(new Set(asked).size).toBe(1);
});

test('an error code of a million letters is ignored', async () => {
  const store = await opened((_, response) => {
    response.writeHead(400).end(`<Error><Code>${'A'.repeat(1_000_000)}</Code><Message>m</Message></Error>`);
  });
  const error = (await lastValueFrom(store.get('k')).catch((raw: unknown) => raw)) as Error & {
    serverCode?: string;
  };
  expect(error.message.length).toBeLessThan(1000);
  expect(error.serverCode).toBeUndefined();
});

test.each([
  [200, 'a document'],
  [400, 'an error'],
])('%i: %s without end is aborted', async (status) => {
  const store = await opened((_, response) => {
    response.writeHead(status);
    const more = (): void => {
      while (!response.destroyed && response.write(' '.repeat(2 ** 20)));
    };
    response.on('drain', more);
    more();
  });
  const request: Observable<unknown> = status === 200 ? store.list({}) : store.put('k', Buffer.from('x'));
  await expect(lastValueFrom(request)).rejects.toMatchObject({
    code: 'NotSupported',
    message: expect.stringContaining('a document of more than 64 MiB') as string,
  });
});
