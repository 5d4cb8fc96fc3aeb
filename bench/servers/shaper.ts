/**
 * Objects over a link of a given delay and speed, served with the part of the S3 protocol that reading
 * needs: HEAD, GET with a range and If-Match, ListObjectsV2. Server and shaper are one process, so that no bytes are
 * copied between them and the client has more CPU.
 *
 * Each connection has its own link. A response's first byte follows its request after `delay`; from then on, bytes
 * are due by the clock at `rate`, independent of earlier ticks, so that rounding errors do not accumulate. As on a
 * real link, capacity that the client does not use is lost, except for one socket buffer's worth. With `slow`, some responses
 * have a quarter of the speed.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Params, Start } from '../harness/workload.js';
import { slice } from '../synthetic/content.js';
import { visits } from '../synthetic/pageVisits.js';

export interface Link {
  /** Milliseconds from a request to the first byte of its response. */
  readonly delay: number;
  /** Bytes per second and connection. */
  readonly rate: number;
}

interface Served {
  readonly key: string;
  readonly size: number;
  /** The bytes from an offset on, at most `length`. */
  slice(offset: number, length: number): Buffer;
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
    private readonly object: Served,
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
      const chunk = this.object.slice(this.offset + this.#sent, Math.min(due - this.#sent, largestWrite));
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

/**
 * Params: `bucket`, `delay` (ms), `rate` (bytes/s), `size` (bytes) and `key` of the object. With `files` instead of `key`: so many objects
 * `lines/<n>.ndjson`, `size` bytes together. With `slow`: of so many responses with a range or an object, one is slow.
 * Info: `endpoint`, and `size` as it is.
 */
export const shaper: Start = async (params) => {
  const link: Link = { delay: Number(params['delay']), rate: Number(params['rate']) };
  const slow = Number(params['slow'] ?? Infinity);
  const objects = objectsOf(params);
  const root = `/${String(params['bucket'])}/`;
  const pump = new Pump();
  const sockets = new Set<Socket>();
  let requests = 0;
  let bodies = 0;

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const key = decodeURIComponent(url.pathname).slice(root.length);
    const found = objects.find((each) => each.key === key);
    if (url.searchParams.has('list-type'))
      list(response, String(params['bucket']), url.searchParams.get('prefix') ?? '', objects);
    else if (found === undefined) response.writeHead(404).end();
    else {
      const rate = request.method === 'GET' && ++bodies % slow === 0 ? link.rate / 4 : link.rate;
      send(request, response, found, rate, pump);
    }
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
    info: { endpoint: `http://127.0.0.1:${port}`, size: objects.reduce((sum, { size }) => sum + size, 0) },
    round: () => Promise.resolve({ digest: String(requests), amount: requests }),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

function objectsOf({ key, files, size }: Params): readonly Served[] {
  if (files === undefined) return [{ key: String(key), size: Number(size), slice }];
  const content = visits('ndjson', Number(size));
  const border = (n: number): number =>
    n === 0 ? 0 : content.indexOf('\n', Math.floor((n * content.length) / Number(files)) - 1) + 1;
  return Array.from({ length: Number(files) }, (_, n) => {
    const own = content.subarray(border(n), border(n + 1) || content.length);
    return {
      key: linesName(n),
      size: own.length,
      slice: (offset, length) => own.subarray(offset, offset + length),
    };
  });
}

/** The key of an object of lines. */
export const linesName = (n: number): string => `lines/${String(n).padStart(4, '0')}.ndjson`;

function send(
  request: IncomingMessage,
  response: ServerResponse,
  object: Served,
  rate: number,
  pump: Pump,
): void {
  const { size } = object;
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
  pump.add(new Transfer(response, object, start, end - start, rate));
}

function list(response: ServerResponse, bucket: string, prefix: string, objects: readonly Served[]): void {
  const found = objects.filter(({ key }) => key.startsWith(prefix));
  const entries = found.map(
    ({ key, size }) =>
      `<Contents><Key>${key}</Key><Size>${size}</Size>` +
      `<ETag>&quot;${etag.slice(1, -1)}&quot;</ETag><LastModified>${modified.toISOString()}</LastModified>` +
      `<StorageClass>STANDARD</StorageClass></Contents>`,
  );
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>${bucket}</Name><KeyCount>${found.length}</KeyCount>` +
      `<IsTruncated>false</IsTruncated>${entries.join('')}</ListBucketResult>`,
  );
}
