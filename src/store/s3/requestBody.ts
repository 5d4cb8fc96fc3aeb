import type { ClientRequest } from 'node:http';

/** Bytes in one write to a socket. */
const slice = 256 * 1024;

/**
 * Sends a large body slice by slice, each when the previous one is flushed: under TLS a socket notices no progress within a
 * single write, so a slow upload would time out as silent.
 */
export function sendBody(outgoing: ClientRequest, body: unknown): void {
  const pieces: unknown[] = Array.isArray(body) ? body : [body];
  const [only] = pieces;
  const small = typeof only === 'string' || (bytesOf(only)?.length ?? 0) <= slice;
  if (pieces.length === 1 && small) {
    outgoing.end(bytesOf(only));
    return;
  }
  const slices = slicesOf(pieces);
  const send = (): void => {
    for (let next = slices.next(); !outgoing.destroyed; next = slices.next()) {
      if (next.done === true) {
        outgoing.end();
        return;
      }
      if (!outgoing.write(next.value)) {
        outgoing.once('drain', send);
        return;
      }
    }
  };
  send();
}

function* slicesOf(pieces: readonly unknown[]): Generator<Uint8Array | string, void> {
  for (const piece of pieces) {
    const bytes = bytesOf(piece) ?? '';
    if (typeof bytes === 'string') yield bytes;
    else for (let at = 0; at < bytes.length; at += slice) yield bytes.subarray(at, at + slice);
  }
}

function bytesOf(body: unknown): Uint8Array | string | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  throw new TypeError(
    'S3 request bodies are bytes or strings, never streams: every request must be repeatable.',
  );
}
