/**
 * A server as light as `node:http` allows, for rows that count the CPU time of clients: the part of the S3 protocol that
 * transfers need. It generates what it serves, keeps only checksums of what it receives, and checks no signature.
 *
 * Served: `big` of `size` bytes, and `small/<n>` of `smallSize` bytes, `count` of them.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import type { Start } from '../harness/workload.js';
import { longest, slice } from '../synthetic/content.js';
import { combineCrc32 } from '../synthetic/crc.js';

/** The name of a small object: all have equally long ones. */
export const smallName = (n: number): string => `${String(n).padStart(6, '0')}.bin`;

/** Small objects begin at different offsets of the content, so that no two are equal. */
export const smallOffset = (n: number): number => n * 4099;

interface Served {
  readonly offset: number;
  readonly size: number;
}

interface Received {
  readonly crc: number;
  readonly size: number;
  /** Of objects that are read again, such as those that tell how to resume a copy. */
  readonly body?: Buffer;
}

const etag = (text: string): string => `"${crc32(text).toString(16).padStart(8, '0').repeat(4)}"`;
const modified = new Date(Date.UTC(2026, 0, 1));
const page = 1000;
const kept = 4 << 10;

/** Params: `bucket`, `size`, `count`, `smallSize`. Info: `endpoint`. A round tells what was received since the last one. */
export const objects: Start = async (params) => {
  const [size, count, smallSize] = [params['size'], params['count'], params['smallSize']].map(Number) as [
    number,
    number,
    number,
  ];
  const names = Array.from({ length: count }, (_, n) => `small/${smallName(n)}`);
  const served = new Map<string, Served>([['big', { offset: 0, size }]]);
  for (const [n, name] of names.entries()) served.set(name, { offset: smallOffset(n), size: smallSize });
  const received = new Map<string, Received>();
  const uploads = new Map<string, Map<number, Received>>();
  const root = `/${String(params['bucket'])}`;
  let requests = 0;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requests++;
    const { method = 'GET', url = '/' } = request;
    const at = url.indexOf('?');
    const path = at < 0 ? url : url.slice(0, at);
    const query = new URLSearchParams(at < 0 ? '' : url.slice(at));
    const key = decodeURIComponent(path.slice(root.length + 1));
    if (method === 'PUT') {
      const part = await receive(request);
      const uploadId = query.get('uploadId');
      if (uploadId === null) received.set(key, part);
      else uploads.get(uploadId)?.set(Number(query.get('partNumber')), part);
      response.writeHead(200, { etag: etag(String(part.crc)), 'content-length': 0 }).end();
      return;
    }
    request.resume();
    if (method === 'POST' && query.has('uploads')) {
      const id = `upload-${requests}`;
      uploads.set(id, new Map());
      xml(
        response,
        `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    } else if (method === 'POST' && query.has('delete')) {
      // Only objects that tell how to resume a copy are deleted.
      for (const [name, { body }] of received) if (body !== undefined) received.delete(name);
      xml(response, '<DeleteResult></DeleteResult>');
    } else if (method === 'POST') {
      const id = query.get('uploadId') ?? '';
      received.set(key, joined(uploads.get(id)));
      uploads.delete(id);
      xml(
        response,
        `<CompleteMultipartUploadResult><Key>${key}</Key><ETag>${etag(id)}</ETag></CompleteMultipartUploadResult>`,
      );
    } else if (method === 'DELETE') {
      received.delete(key);
      response.writeHead(204).end();
    } else if (query.has('list-type')) list(response, query, names, size, smallSize);
    else if (query.has('location') || key === '') xml(response, '<LocationConstraint></LocationConstraint>');
    else send(request, response, key, served.get(key), received.get(key)?.body);
  };

  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    sockets.add(socket.setNoDelay(true));
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    info: { endpoint: `http://127.0.0.1:${port}` },
    round() {
      const digest = [...received]
        .filter(([, { body }]) => body === undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { crc, size: bytes }]) => `${crc.toString(16)}-${bytes}`);
      const sent = requests;
      received.clear();
      requests = 0;
      return Promise.resolve({ digest: digest.join(), amount: sent });
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

function receive(request: IncomingMessage): Promise<Received> {
  return new Promise((resolve, reject) => {
    let crc = 0;
    let size = 0;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => {
      crc = crc32(chunk, crc);
      size += chunk.length;
      if (size <= kept) chunks.push(chunk);
    });
    request.once('end', () =>
      resolve({ crc, size, ...(size <= kept ? { body: Buffer.concat(chunks) } : {}) }),
    );
    request.once('error', reject);
  });
}

function joined(parts: ReadonlyMap<number, Received> = new Map()): Received {
  return [...parts]
    .sort(([a], [b]) => a - b)
    .reduce(
      (whole, [, { crc, size }]) => ({
        crc: combineCrc32(whole.crc, crc, size),
        size: whole.size + size,
      }),
      { crc: 0, size: 0 },
    );
}

function send(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  key: string,
  found: Served | undefined,
  body: Buffer | undefined,
): void {
  const size = found?.size ?? body?.length;
  if (size === undefined) {
    xml(response, '<Error><Code>NoSuchKey</Code><Message>none</Message></Error>', 404);
    return;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const start = range === null ? 0 : Number(range[1]);
  const end = range === null || range[2] === '' ? size : Math.min(size, Number(range[2]) + 1);
  response.writeHead(range === null ? 200 : 206, {
    etag: etag(key),
    'last-modified': modified.toUTCString(),
    'content-type': 'application/octet-stream',
    'content-length': end - start,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  });
  if (method === 'HEAD') response.end();
  else if (found === undefined) response.end(body?.subarray(start, end));
  else write(response, found.offset + start, end - start);
}

/** Sends the content in pieces, the next when the last is sent. */
function write(response: ServerResponse, offset: number, length: number): void {
  const piece = slice(offset, Math.min(length, longest));
  if (piece.length === length) {
    response.end(piece);
    return;
  }
  response.write(piece, () => {
    if (!response.destroyed) write(response, offset + piece.length, length - piece.length);
  });
}

function list(
  response: ServerResponse,
  query: URLSearchParams,
  names: readonly string[],
  size: number,
  smallSize: number,
): void {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
  const all = ['big', ...names].filter((name) => name.startsWith(prefix) && name > after);
  const limit = Math.min(page, Number(query.get('max-keys') ?? page));
  const found = all.slice(0, limit);
  const entry = (name: string): string =>
    `<Contents><Key>${name}</Key><Size>${name === 'big' ? size : smallSize}</Size><ETag>&quot;${etag(name).slice(1, -1)}&quot;</ETag>` +
    `<LastModified>${modified.toISOString()}</LastModified><StorageClass>STANDARD</StorageClass></Contents>`;
  const next =
    all.length > limit ? `<NextContinuationToken>${found.at(-1) ?? ''}</NextContinuationToken>` : '';
  xml(
    response,
    `<ListBucketResult><Name>bench</Name><Prefix>${prefix}</Prefix><KeyCount>${found.length}</KeyCount><MaxKeys>${limit}</MaxKeys>` +
      `<IsTruncated>${all.length > limit}</IsTruncated>${found.map(entry).join('')}${next}</ListBucketResult>`,
  );
}

function xml(response: ServerResponse, text: string, status = 200): void {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length }).end(body);
}
