/**
 * One synthetic object over a link of a given delay and speed, served with the part of the S3 protocol that reading
 * needs: HEAD, GET with a range and If-Match, ListObjectsV2. Server and shaper are one process, so that no bytes are
 * copied between them and the client has more CPU.
 *
 * Each connection has its own link. A response's first byte follows its request after `delay`; from then on, bytes
 * are due by the clock at `rate`, independent of earlier ticks, so that rounding errors do not accumulate. As on a
 * real link, capacity that the client does not use is lost, except for one socket buffer's worth.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Start } from '../harness/workload.js';
import { slice } from '../synthetic/content.js';

export interface Link {
  /** Milliseconds from a request to the first byte of its response. */
  readonly delay: number;
  /** Bytes per second and connection. */
  readonly rate: number;
}

const tick = 2;
const mostBanked = 1 << 20;
const largestWrite = 1 << 20;

/** One response being sent. */
class Transfer {
  #sent = 0;
  #startedAt = 0;
  #stalled = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly offset: number,
    private readonly size: number,
    private readonly rate: number,
  ) {}

  start(now: number): void {
    this.#startedAt = now;
  }

  /** Sends what is due. Returns `false` once everything is sent. */
  pump(now: number): boolean {
    if (this.response.destroyed) return false;
    if (this.#stalled) return true;
    const due = Math.min(this.size, Math.floor(((now - this.#startedAt) / 1000) * this.rate));
    while (this.#sent < due) {
      const chunk = slice(this.offset + this.#sent, Math.min(due - this.#sent, largestWrite));
      this.#sent += chunk.length;
      if (!this.response.write(chunk)) {
        this.#stalled = true;
        this.response.once('drain', () => this.#resume());
        break;
      }
    }
    if (this.#sent < this.size) return true;
    this.response.end();
    return false;
  }

  #resume(): void {
    this.#stalled = false;
    const now = performance.now();
    const due = ((now - this.#startedAt) / 1000) * this.rate;
    const lost = Math.min(due, this.size) - this.#sent - mostBanked;
    if (lost > 0) this.#startedAt += (lost / this.rate) * 1000;
  }
}

/** One timer for all transfers, which runs only while there are any. */
class Pump {
  readonly #transfers = new Set<Transfer>();
  #timer: NodeJS.Timeout | undefined;

  add(transfer: Transfer): void {
    transfer.start(performance.now());
    this.#transfers.add(transfer);
    this.#timer ??= setInterval(() => this.#run(), tick);
  }

  #run(): void {
    const now = performance.now();
    for (const transfer of this.#transfers) if (!transfer.pump(now)) this.#transfers.delete(transfer);
    if (this.#transfers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

const etag = '"5eed5eed5eed5eed5eed5eed5eed5eed"';
const modified = new Date(Date.UTC(2026, 0, 1));

/** Params: `size` of the object in bytes, `delay` (ms), `rate` (bytes/s), `bucket`, `key`. Info: `endpoint`. */
export const shaper: Start = async (params) => {
  const size = Number(params['size']);
  const link: Link = { delay: Number(params['delay']), rate: Number(params['rate']) };
  const path = `/${String(params['bucket'])}/${String(params['key'])}`;
  const pump = new Pump();
  const sockets = new Set<Socket>();
  let requests = 0;

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.searchParams.has('list-type'))
      list(response, String(params['bucket']), String(params['key']), size);
    else if (decodeURIComponent(url.pathname) !== path) response.writeHead(404).end();
    else object(request, response, size, link, pump);
  };

  const server = createServer((request, response) => {
    requests++;
    request.resume();
    setTimeout(() => answer(request, response), link.delay);
  });
  server.on('connection', (socket) => {
    sockets.add(socket.setNoDelay(true));
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    info: { endpoint: `http://127.0.0.1:${port}` },
    round: () => Promise.resolve({ digest: String(requests), amount: requests }),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

function object(
  request: IncomingMessage,
  response: ServerResponse,
  size: number,
  link: Link,
  pump: Pump,
): void {
  const ifMatch = request.headers['if-match'];
  if (ifMatch !== undefined && ifMatch !== etag && ifMatch !== etag.slice(1, -1)) {
    response.writeHead(412).end();
    return;
  }
  const headers = { etag, 'last-modified': modified.toUTCString(), 'accept-ranges': 'bytes' };
  if (request.method === 'HEAD') {
    response.writeHead(200, { ...headers, 'content-length': size }).end();
    return;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = range === null ? 0 : Number(range[1]);
  const end = range === null || range[2] === '' ? size : Math.min(size, Number(range[2]) + 1);
  if (start >= size) {
    response.writeHead(416).end();
    return;
  }
  response.writeHead(range === null ? 200 : 206, {
    ...headers,
    'content-length': end - start,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  });
  response.flushHeaders();
  pump.add(new Transfer(response, start, end - start, link.rate));
}

function list(response: ServerResponse, bucket: string, key: string, size: number): void {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>${bucket}</Name><KeyCount>1</KeyCount>` +
      `<IsTruncated>false</IsTruncated><Contents><Key>${key}</Key><Size>${size}</Size>` +
      `<ETag>&quot;${etag.slice(1, -1)}&quot;</ETag><LastModified>${modified.toISOString()}</LastModified>` +
      `<StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>`,
  );
}
