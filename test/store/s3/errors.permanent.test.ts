/** An error that no retry can change is not `Unavailable`: it fails immediately, with advice, and ends a job. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as plainServer } from 'node:http';
import { createServer as tlsServer } from 'node:https';
import { createServer as rawServer, type AddressInfo, type Server } from 'node:net';
import { jest } from '@jest/globals';
import { createJob, files, text, values } from '../../../src/index.js';
import { startGateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { toStoreError } from '../../../src/store/s3/errors.js';
import { HttpHandler } from '../../../src/store/s3/httpHandler.js';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import { resolveOptions } from '../../../src/store/s3/options.js';
import { S3Pool } from '../../../src/store/s3/pool.js';
import { S3Store } from '../../../src/store/s3/store.js';
import { altered } from '../alteringProxy.js';
import * as certificates from '../certificates.js';
import { answer, credentials, failure } from '../s3support.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) await close();
});

async function listening(server: Server): Promise<number> {
  server.listen(0, 'localhost');
  await once(server, 'listening');
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server that speaks TLS, with this certificate. */
async function secure(cert: string): Promise<number> {
  const server = tlsServer({ key: certificates.key, cert }, (_, response) => response.end());
  closing.push(() => server.closeAllConnections());
  return listening(server);
}

/** A server with the same answer for every request. */
function saying(words: string | Buffer): Promise<number> {
  return listening(
    rawServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(words));
    }),
  );
}

function closingPool(options: S3Options): S3Pool {
  const pool = new S3Pool(resolveOptions({ region: 'us-east-1', credentials, ...options }), 1);
  closing.push(() => pool.close());
  return pool;
}

/** A file of certificate authorities. */
function bundle(authority: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-'));
  closing.push(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'authorities.pem');
  writeFileSync(path, authority);
  return path;
}

/** The error of a request; `authority` is trusted. */
async function refusal(options: S3Options, authority?: string): Promise<Error & { readonly code?: string }> {
  const trust = authority === undefined ? {} : { caBundle: bundle(authority) };
  const pool = closingPool({ connectionTimeout: '60s', ...trust, ...options });
  return failure(new S3Store('lake', pool).head('a'));
}

const lasting = (advice: RegExp) => ({
  code: 'InvalidRequest',
  retryable: false,
  message: expect.stringMatching(advice) as string,
});

describe('certificates', () => {
  test.each<[string, string, string | undefined, RegExp]>([
    ['issued by itself', certificates.selfSigned, undefined, /s3\.ca-bundle.*NODE_EXTRA_CA_CERTS/],
    ['of an unknown authority', certificates.localhost, undefined, /s3\.ca-bundle.*NODE_EXTRA_CA_CERTS/],
    ['that has expired', certificates.expired, certificates.authority, /renew it/],
    ['of another host', certificates.otherHost, certificates.authority, /another host/],
  ])('%s', async (_, cert, trusted, advice) => {
    const endpoint = `https://localhost:${await secure(cert)}`;
    expect(await refusal({ endpoint }, trusted)).toMatchObject(lasting(advice));
  });

  test('without a fault let the request through', async () => {
    const endpoint = `https://localhost:${await secure(certificates.localhost)}`;
    const pool = closingPool({ endpoint, caBundle: bundle(certificates.authority) });
    expect((await failure(new S3Store('lake', pool).head('a'))).message).toMatch(/the response has no ETag/);
  });

  test('end a job immediately', async () => {
    const endpoint = `https://localhost:${await secure(certificates.selfSigned)}`;
    const job = createJob({
      name: 'untrusting',
      checkpoints: { dir: 's3://lake/checkpoints' },
      s3: { endpoint, region: 'us-east-1', credentials },
    });
    const events: string[] = [];
    job.events$.subscribe(({ type }) => events.push(type));
    const run = job.run(job.source('in', files('s3://lake/in/', { format: text() })).pipe(values()));
    await expect(run).rejects.toMatchObject({ code: 'InvalidRequest' });
    expect(events).toEqual(['attempt-started', 'failed']);
  });
});

describe('ports', () => {
  test('that speak TLS are distinguished from closed ones', async () => {
    const endpoint = `http://localhost:${await secure(certificates.selfSigned)}`;
    expect(await refusal({ endpoint })).toMatchObject(lasting(/use https:/));
  });

  test('that answer plain requests with an alert of TLS', async () => {
    const endpoint = `http://localhost:${await saying(Buffer.from([0x15, 3, 1, 0, 2, 2, 0x16]))}`;
    expect(await refusal({ endpoint })).toMatchObject(lasting(/does not speak HTTP/));
  });

  test('that answer plain requests in words', async () => {
    const tls = tlsServer({ key: certificates.key, cert: certificates.selfSigned });
    const both = rawServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('readable', () => {
        const first = socket.read() as Buffer;
        if (first[0] !== 0x16) {
          socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n');
          return;
        }
        socket.unshift(first);
        tls.emit('connection', socket);
      });
    });
    const endpoint = `http://localhost:${await listening(both)}`;
    expect(await refusal({ endpoint })).toMatchObject(lasting(/use https:/));
  });

  test('that do not speak TLS', async () => {
    const server = plainServer((_, response) => response.end());
    const endpoint = `https://localhost:${await listening(server)}`;
    expect(await refusal({ endpoint })).toMatchObject(lasting(/use http:/));
  });

  test('that speak something else', async () => {
    const endpoint = `http://localhost:${await saying('SSH-2.0-OpenSSH\r\n')}`;
    expect(await refusal({ endpoint })).toMatchObject(lasting(/does not speak HTTP/));
  });

  test('that are closed may be retried', async () => {
    const server = rawServer();
    const port = await listening(server);
    server.close();
    expect(await refusal({ endpoint: `http://localhost:${port}` })).toMatchObject({
      code: 'Unavailable',
      retryable: true,
    });
  });
});

describe('hosts', () => {
  const unknown = (): Error =>
    Object.assign(new Error('getaddrinfo ENOTFOUND s3.example'), { code: 'ENOTFOUND' });

  /** A store whose requests end as told. */
  function store(ends: () => Promise<never>): S3Store {
    jest.spyOn(HttpHandler.prototype, 'handle').mockImplementation(ends);
    return new S3Store('lake', closingPool({ endpoint: 'http://s3.example' }));
  }

  test('that were never reached are permanent errors', async () => {
    const lake = store(() => Promise.reject(unknown()));
    expect(await failure(lake.head('a'))).toMatchObject(lasting(/No such host/));
  });

  test('that were reached before may be retried', async () => {
    await using gateway = await startGateway({ buckets: { lake: createMemoryStore() }, credentials });
    const lake = new S3Store('lake', closingPool({ endpoint: gateway.endpoint }));
    await answer(lake.list({}));
    jest.spyOn(HttpHandler.prototype, 'handle').mockImplementation(() => Promise.reject(unknown()));
    expect(await failure(lake.head('a'))).toMatchObject({ code: 'Unavailable', retryable: true });
  });

  test('that the name server fails to resolve may be retried', async () => {
    const error = Object.assign(new Error('getaddrinfo EAI_AGAIN s3.example'), { code: 'EAI_AGAIN' });
    const lake = store(() => Promise.reject(error));
    expect(await failure(lake.head('a'))).toMatchObject({ code: 'Unavailable', retryable: true });
  });
});

describe('a web server', () => {
  const replies = [
    [404, { 'content-type': 'text/html' }, '<html><h1>Not Found</h1></html>'],
    [302, { location: 'https://login.example.com/' }, ''],
    [200, { 'content-type': 'text/html' }, '<html><h1>Welcome</h1></html>'],
  ] as const;

  test.each(replies)('that answers %i to everything is not an S3 server', async (status, headers, body) => {
    const server = await altered({ retry: { base: 1 } });
    closing.push(() => server.close());
    server.instead = () => ({ status, headers: { ...headers }, body });
    expect(await failure(server.store.list({}))).toMatchObject({ code: 'NotSupported', retryable: false });
    expect(server.requests).toHaveLength(1);
  });

  test.each(replies.slice(0, 2))(
    'that answers %i where S3 answered before may be retried',
    async (status, headers, body) => {
      const server = await altered();
      closing.push(() => server.close());
      await answer(server.store.list({}));
      server.instead = () => ({ status, headers: { ...headers }, body });
      expect(await failure(server.store.list({}))).toMatchObject({ code: 'Unavailable', retryable: true });
    },
  );
});

describe('requests that cannot be sent', () => {
  test.each<[string, S3Options, string, RegExp]>([
    ['a bucket with dots, accelerated', { accelerate: true }, 'a.b', /s3\.transfer-acceleration\.enabled/],
    ['a region that is no name', { region: 'eu west' }, 'lake', /region/],
    [
      'a key with a line end',
      { endpoint: 'http://127.0.0.1:1', credentials: { accessKeyId: 'AKID\n', secretAccessKey: 's' } },
      'lake',
      /credentials/,
    ],
    [
      'a token with a line end',
      { endpoint: 'http://127.0.0.1:1', credentials: { ...credentials, sessionToken: 'a\nb' } },
      'lake',
      /credentials/,
    ],
  ])('%s', async (_, options, bucket, advice) => {
    const s3 = new S3Connection({ region: 'us-east-1', credentials, retry: { maxRetries: 0 }, ...options });
    closing.push(() => s3.close());
    const error = await failure(s3.store(bucket).head('a'));

    expect(error).toMatchObject(lasting(advice));
    expect(error.message).not.toMatch(/AKID|a\nb/);
  });
});

describe('missing answers', () => {
  const why = (code: string | undefined, name = 'Error', message = 'x') =>
    toStoreError(Object.assign(new Error(message), { name, code }), {
      operation: 'GetObject',
      bucket: 'lake',
    });

  test.each([
    'ECONNRESET',
    'ECONNREFUSED',
    'ECONNABORTED',
    'ETIMEDOUT',
    'EPIPE',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'EADDRNOTAVAIL',
    'EMFILE',
    'HPE_INVALID_EOF_STATE',
    'ERR_STREAM_PREMATURE_CLOSE',
    'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC',
    'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR',
  ])('%s is temporary', (code) => {
    expect(why(code)).toMatchObject({ code: 'Unavailable', retryable: true });
  });

  test.each([
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_REVOKED',
    'CERT_UNTRUSTED',
    'INVALID_PURPOSE',
    'HOSTNAME_MISMATCH',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'EPROTO',
    'ERR_INVALID_CHAR',
    'ERR_INVALID_PROTOCOL',
    'ERR_INVALID_URL',
    'ERR_SOCKET_BAD_PORT',
    'ERR_UNESCAPED_CHARACTERS',
    undefined,
  ])('%s is permanent', (code) => {
    expect(why(code)).toMatchObject({ code: 'InvalidRequest', retryable: false });
  });

  test('a timeout is temporary; errors thrown by the SDK itself are permanent', () => {
    expect(why(undefined, 'TimeoutError')).toMatchObject({ code: 'Unavailable' });
    expect(why(undefined, 'EndpointError', 'Invalid region')).toMatchObject({ code: 'InvalidRequest' });
  });

  test.each([
    [501, 'NotImplemented', 'NotSupported'],
    [505, 'Unknown', 'NotSupported'],
    [403, 'InvalidAccessKeyId', 'PermissionDenied'],
    [403, 'SignatureDoesNotMatch', 'PermissionDenied'],
    [404, 'NoSuchBucket', 'NotFound'],
    [400, 'InvalidBucketName', 'InvalidRequest'],
  ])('%i %s is permanent', (httpStatusCode, name, code) => {
    const raw = { name, message: '', $fault: 'client', $metadata: { httpStatusCode } };
    const error = toStoreError(raw, { operation: 'GetObject', bucket: 'lake' });
    expect(error).toMatchObject({ code, retryable: false });
  });
});

describe('unreadable answers', () => {
  test('that are not of S3 are not retried', async () => {
    const server = await altered({ retry: { base: 1 } });
    closing.push(() => server.close());
    server.alter = (reply) => {
      reply.body = '<?xml version="1.0"?><ListBucketResult><Contents>';
      return undefined;
    };
    expect(await failure(server.store.list({}))).toMatchObject({
      code: 'NotSupported',
      retryable: false,
      message: expect.stringContaining('check that the endpoint is an S3 server') as string,
    });
    expect(server.requests).toHaveLength(1);
  });

  test('that break off are retried', async () => {
    await using gateway = await startGateway({
      buckets: { lake: createMemoryStore() },
      credentials,
      faults: ({ attempt }) => (attempt === 1 ? { failure: { kind: 'cut', at: 20 } } : undefined),
    });
    using s3 = new S3Connection({ endpoint: gateway.endpoint, credentials, retry: { base: 1 } });
    expect(await answer(s3.store('lake').list({}))).toMatchObject({ objects: [] });
  });

  test.each([
    ['with its id', (body: string) => body.replace('</InitiateMultipartUploadResult>', '<'), 0],
    ['without one', () => '<?xml version="1.0"?><InitiateMultipartUploadResult><', 1],
  ])('to the creation of an upload %s', async (_, damage, left) => {
    const server = await altered({ retry: { base: 1 } });
    closing.push(() => server.close());
    server.alter = (reply, { query }) => {
      if (query.has('uploads')) reply.body = damage(reply.body.toString());
      return undefined;
    };
    expect(await failure(server.store.createUpload('a'))).toMatchObject({ code: 'NotSupported' });
    expect((await answer(server.lake.listUploads({ prefix: '' }))).uploads).toHaveLength(left);
  });
});
