import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startGateway } from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { S3Connection, type S3Options } from '../../src/store/s3/index.js';
import { credentials } from './s3support.js';

export interface ProxyRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export interface ProxyReply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string | Buffer;
  /** The connection ends with the body, whatever length was promised. */
  readonly cut?: true;
}

/** Another answer, or the one changed in place. Without one, its own answer. */
export type Alter = (reply: ProxyReply, request: ProxyRequest) => ProxyReply | undefined;

export interface Altered {
  readonly endpoint: string;
  readonly s3: S3Connection;
  /** Through the proxy. */
  readonly store: ObjectStore;
  /** What is behind it. */
  readonly lake: ObjectStore;
  /** Those that came to the proxy. */
  readonly requests: ProxyRequest[];
  alter: Alter;
  /** Answers in place of the server, if it gives one. */
  instead: (request: ProxyRequest) => ProxyReply | undefined;
  close(): Promise<void>;
}

/** Bytes. Enough for any metadata. */
const maxHeaderSize = 256 * 1024;

/** A gateway behind a proxy that alters its answers. */
export async function altered(
  options: S3Options = {},
  buckets: Readonly<Record<string, ObjectStore>> = { lake: createMemoryStore() },
): Promise<Altered> {
  const gateway = await startGateway({ buckets, credentials });
  const { port } = new URL(gateway.endpoint);
  const requests: ProxyRequest[] = [];
  const proxy = createServer({ maxHeaderSize }, (incoming, outgoing) => {
    const url = new URL(incoming.url ?? '/', 'http://proxy');
    const { method = 'GET', headers } = incoming;
    const request = { method, path: decodeURIComponent(url.pathname), query: url.searchParams, headers };
    requests.push(request);
    const send = ({ status, headers: out, body, cut }: ProxyReply): void => {
      for (const [name, value] of Object.entries(out))
        if (value !== undefined) outgoing.setHeader(name, value);
      outgoing.writeHead(status);
      if (cut === true) outgoing.write(body, () => outgoing.socket?.end());
      else outgoing.end(body);
    };
    const own = result.instead(request);
    if (own !== undefined) {
      incoming.resume().once('end', () => send(own));
      return;
    }
    const onward = { host: '127.0.0.1', port, method, path: incoming.url ?? '/', headers, maxHeaderSize };
    const forwarded = httpRequest(onward, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('end', () => {
        const { statusCode: status = 0 } = answer;
        const headers = { ...answer.headers, 'transfer-encoding': undefined };
        const reply: ProxyReply = { status, headers, body: Buffer.concat(chunks) };
        const whole = reply.body;
        const sent = result.alter(reply, request) ?? reply;
        if (sent.body !== whole) sent.headers['content-length'] = String(Buffer.byteLength(sent.body));
        send(sent);
      });
    });
    forwarded.once('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const endpoint = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const s3 = new S3Connection({ endpoint, credentials, retry: { maxRetries: 0 }, ...options });
  const [lake] = Object.values(buckets);
  if (lake === undefined) throw new Error('There is no bucket.');
  const result: Altered = {
    endpoint,
    s3,
    store: s3.store('lake'),
    lake,
    requests,
    alter: () => undefined,
    instead: () => undefined,
    close: async () => {
      s3.close();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
      await gateway.close();
    },
  };
  return result;
}

/** Alters the listings of objects. */
export const listings =
  (edit: (xml: string, request: ProxyRequest) => string): Alter =>
  (reply, request) => {
    if (request.query.get('list-type') === '2' && reply.status === 200)
      reply.body = edit(reply.body.toString(), request);
    return undefined;
  };
