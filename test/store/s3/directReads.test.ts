import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { S3Connection } from '../../../src/store/s3/connection.js';
import type { S3Options } from '../../../src/store/s3/options.js';

interface Seen {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

const viaSdk = ({ headers }: Seen): boolean => 'amz-sdk-invocation-id' in headers;

describe('reads after the first of a bucket', () => {
  let server: Server;
  let connection: S3Connection;
  const seen: Seen[] = [];
  /** Status and body of the next responses; then 200. */
  const statuses: (readonly [number, string] | 'drop')[] = [];

  const open = async (options: Partial<S3Options> = {}) => {
    server = createServer((request: IncomingMessage, response) => {
      seen.push({ url: request.url ?? '', headers: request.headers });
      const next = statuses.shift() ?? ([200, 'hello'] as const);
      if (next === 'drop') {
        request.socket.destroy();
        return;
      }
      const [status, body] = next;
      const part = status === 206 ? { 'content-range': `bytes 1-${body.length}/9` } : {};
      const date = { 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT', 'x-amz-meta-by': 'me' };
      response.writeHead(status, { etag: '"e"', 'content-length': body.length, ...part, ...date }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    connection = new S3Connection({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      forcePathStyle: true,
      proxy: 'none',
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' },
      retry: { maxRetries: 0 },
      ...options,
    });
    return connection.store('lake');
  };
  beforeEach(() => {
    seen.length = 0;
    statuses.length = 0;
  });
  afterEach(async () => {
    connection.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('are made and signed without the SDK, and answer the same', async () => {
    const store = await open();
    const first = await firstValueFrom(store.get('a b/ü'));
    const second = await firstValueFrom(store.get('a b/ü'));
    statuses.push([206, 'ello']);
    await firstValueFrom(store.get('a/../b', { range: { start: 1, end: 5 }, ifMatch: 'e' }));
    expect(second).toEqual(first);
    expect(second.info.metadata).toEqual({ by: 'me' });
    expect(seen.map(viaSdk)).toEqual([true, false, false]);
    expect(seen[1]?.url).toBe(seen[0]?.url);
    expect(seen[2]?.url).toBe('/lake/a/../b?x-id=GetObject');
    expect(seen[2]?.headers).toMatchObject({
      range: 'bytes=1-4',
      'if-match': '"e"',
      'x-amz-security-token': 'token',
    });
    expect(seen[2]?.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=id\/\d{8}\/us-east-1\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-user-agent, Signature=[0-9a-f]{64}$/,
    );
    expect(seen[2]?.headers['user-agent']).toBe(seen[0]?.headers['user-agent']);
  });

  it.each([
    [404, 'NoSuchKey', 'NotFound'],
    [403, 'AccessDenied', 'PermissionDenied'],
    [503, 'SlowDown', 'Throttled'],
    [500, 'InternalError', 'Unavailable'],
  ])('fail as the SDK’s do, in one request: %i %s', async (status, code, expected) => {
    const store = await open();
    await firstValueFrom(store.get('a'));
    statuses.push([status, `<Error><Code>${code}</Code><Message>no</Message></Error>`]);
    const got = firstValueFrom(store.get('a'));
    await expect(got).rejects.toMatchObject({ code: expected, serverCode: code, status });
    expect(seen.map(viaSdk)).toEqual([true, false]);
  });

  it('fail when the connection breaks, and the next one works', async () => {
    const store = await open();
    await firstValueFrom(store.get('a'));
    statuses.push('drop', 'drop');
    await expect(firstValueFrom(store.get('a'))).rejects.toMatchObject({ code: 'Unavailable' });
    statuses.length = 0;
    await firstValueFrom(store.get('a'));
    expect(viaSdk(seen.at(-1)!)).toBe(false);
  });

  it('ask for the checksum of a whole object', async () => {
    const store = await open({ checksumValidation: true });
    await firstValueFrom(store.get('a'));
    await firstValueFrom(store.get('a'));
    expect(seen.map(({ headers }) => headers['x-amz-checksum-mode'])).toEqual(['ENABLED', 'ENABLED']);
    expect(seen[1]?.headers.authorization).toContain('x-amz-checksum-mode');
  });

  it.each([{ requesterPays: true }, { credentials: 'ANONYMOUS' as const }])(
    'are left to the SDK if they need more, or less: %j',
    async (options) => {
      const store = await open(options);
      await firstValueFrom(store.get('a'));
      await firstValueFrom(store.get('a'));
      expect(seen.map(viaSdk)).toEqual([true, true]);
    },
  );
});
