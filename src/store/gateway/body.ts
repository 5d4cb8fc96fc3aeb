import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { checksumOf } from '../checksums.js';
import { decodeChunked, incomplete } from './chunked.js';
import { GatewayError, notImplemented } from './errors.js';
import { header, sha256, type Authorized } from './sigv4.js';

export interface Body {
  readonly body: Buffer;
  /** The headers after it. */
  readonly trailers: ReadonlyMap<string, string>;
}

/**
 * Reads a request's body and verifies its length, its signed hash, the signatures of its chunks, `Content-MD5`, and the
 * checksum header or trailer.
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  authorized: Authorized,
  limit: number,
): Promise<Body> {
  if (header(request, 'expect')?.toLowerCase() === '100-continue') response.writeContinue();
  const raw = await collect(request, limit);
  const { payload } = authorized;
  if (payload.startsWith('STREAMING-')) {
    if (!supported.has(payload)) throw notImplemented(`x-amz-content-sha256: ${payload}`);
    const { body, trailers } = decodeChunked(raw, authorized);
    if (header(request, 'x-amz-decoded-content-length') !== String(body.length)) throw incomplete();
    check(body, request, trailers);
    return { body, trailers };
  }
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== sha256(raw)) {
    throw new GatewayError(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  const trailers = new Map<string, string>();
  check(raw, request, trailers);
  return { body: raw, trailers };
}

const supported: ReadonlySet<string> = new Set([
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
]);

function collect(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      // Read and drop the rest, so that the client reads the response.
      request.off('data', onData);
      request.resume();
      chunks.length = 0;
      reject(new GatewayError(400, 'EntityTooLarge', `A body has at most ${limit} bytes here.`));
    };
    request.on('data', onData);
    request.once('end', () => resolve(Buffer.concat(chunks, size)));
    request.once('error', reject);
    request.once('close', () => reject(incomplete()));
  });
}

const checksums: ReadonlyMap<string, (body: Buffer) => string> = new Map(
  Object.entries({
    crc32: (body: Buffer) => checksumOf('crc32', body),
    crc32c: (body: Buffer) => checksumOf('crc32c', body),
    crc64nvme: (body: Buffer) => checksumOf('crc64nvme', body),
    sha1: (body: Buffer) => createHash('sha1').update(body).digest('base64'),
    sha256: (body: Buffer) => createHash('sha256').update(body).digest('base64'),
  }),
);

const prefix = 'x-amz-checksum-';

function check(body: Buffer, request: IncomingMessage, trailers: ReadonlyMap<string, string>): void {
  const md5 = header(request, 'content-md5');
  if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64')) {
    throw new GatewayError(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
  const given = new Map(trailers);
  for (const name of Object.keys(request.headers)) given.set(name, header(request, name) ?? '');
  for (const [name, value] of given) {
    if (!name.startsWith(prefix)) continue;
    const kind = name.slice(prefix.length);
    if (kind === 'type' || kind === 'algorithm' || kind === 'mode') continue;
    const compute = checksums.get(kind);
    if (compute === undefined) throw notImplemented(`the checksum ${kind}`);
    if (compute(body) === value) continue;
    throw new GatewayError(
      400,
      'BadDigest',
      `The ${kind.toUpperCase()} you specified did not match the calculated checksum.`,
    );
  }
}
