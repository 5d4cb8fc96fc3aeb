import { GatewayError } from './errors.js';
import type { Authorized } from './sigv4.js';

/** A decoded `aws-chunked` body, with its trailers. */
export interface Decoded {
  readonly body: Buffer;
  readonly trailers: ReadonlyMap<string, string>;
}

/**
 * Decodes `aws-chunked`: `<hex size>[;chunk-signature=<signature>] CRLF <data> CRLF`, up to a chunk of size 0, followed by
 * optional trailers. `x-amz-content-sha256` determines which signatures are required.
 */
export function decodeChunked(raw: Buffer, authorized: Authorized): Decoded {
  const signed = authorized.payload.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD');
  const trailing = authorized.payload.endsWith('-TRAILER');
  const pieces: Buffer[] = [];
  const lines = new Lines(raw);
  for (;;) {
    const match = /^([0-9a-f]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(lines.next());
    if (match === null || (match[2] !== undefined) !== signed) throw incomplete();
    const data = lines.take(Number.parseInt(match[1] ?? '', 16));
    if (match[2] !== undefined) authorized.chunk(data, match[2]);
    if (data.length === 0) break;
    pieces.push(data);
    if (lines.next() !== '') throw incomplete();
  }
  const trailers = readTrailers(lines);
  const signature = trailers.get('x-amz-trailer-signature');
  trailers.delete('x-amz-trailer-signature');
  if (!trailing && trailers.size > 0) throw incomplete();
  if (trailing && signed) {
    const canonical = [...trailers].map(([name, value]) => `${name}:${value}\n`).join('');
    authorized.trailer(canonical, signature ?? '');
  }
  return { body: Buffer.concat(pieces), trailers };
}

function readTrailers(lines: Lines): Map<string, string> {
  const trailers = new Map<string, string>();
  while (!lines.done) {
    const line = lines.next();
    if (line === '') break;
    const colon = line.indexOf(':');
    if (colon < 1) throw incomplete();
    trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return trailers;
}

class Lines {
  readonly #raw: Buffer;
  #at = 0;

  constructor(raw: Buffer) {
    this.#raw = raw;
  }

  get done(): boolean {
    return this.#at >= this.#raw.length;
  }

  next(): string {
    const end = this.#raw.indexOf('\r\n', this.#at, 'latin1');
    if (end < 0 || end - this.#at > 4096) throw incomplete();
    const line = this.#raw.toString('latin1', this.#at, end);
    this.#at = end + 2;
    return line;
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#raw.length) throw incomplete();
    return this.#raw.subarray(this.#at, (this.#at += length));
  }
}

export function incomplete(): GatewayError {
  return new GatewayError(
    400,
    'IncompleteBody',
    'The request body does not match its headers: its chunks or its length are wrong.',
  );
}
