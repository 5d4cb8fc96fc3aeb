import type { ServerResponse } from 'node:http';
import { pause, type Reply } from './call.js';
import type { GatewayError } from './errors.js';
import type { Fault } from './faults.js';
import { errorDocument } from './xml.js';

/** Bytes of a slice of a body with a fault. */
const slice = 16 * 1024;

/** Sends a response with backpressure, and the fault of its body. Returns the bytes sent. */
export async function send(
  response: ServerResponse,
  reply: Reply,
  fault: Fault | undefined,
  signal: AbortSignal,
): Promise<number> {
  const document = reply.xml === undefined ? undefined : Buffer.from(reply.xml);
  const length = reply.stream?.length ?? document?.length ?? 0;
  const lie = fault?.failure?.kind === 'length' ? fault.failure.by : 0;
  const head = response.req.method === 'HEAD';
  // By the clock that dates the objects, unless the gateway has one. Without either, Node sends this machine's time.
  if (reply.date !== undefined && !response.hasHeader('date'))
    response.setHeader('date', new Date(reply.date).toUTCString());
  response.writeHead(reply.status, {
    ...(document === undefined ? {} : { 'content-type': 'application/xml' }),
    ...(reply.status === 204 || reply.status === 304 || head
      ? {}
      : { 'content-length': String(length + lie) }),
    ...reply.headers,
  });
  if (head || length === 0) {
    response.end();
    return 0;
  }
  let sent = 0;
  for await (const chunk of reply.stream?.chunks ?? [document ?? Buffer.alloc(0)]) {
    for (const piece of pieces(chunk, length + Math.min(lie, 0) - sent, fault)) {
      await breakAt(sent, response, fault, signal);
      if (fault?.bandwidth !== undefined) await pause((piece.length / fault.bandwidth) * 1000, signal);
      sent += piece.length;
      if (!response.write(piece)) await drained(response, signal);
    }
  }
  await breakAt(sent, response, fault, signal);
  if (lie > 0) response.socket?.end();
  response.end();
  return sent;
}

/** Whole chunks; with a fault, small slices up to the fault's byte. */
function* pieces(chunk: Uint8Array, most: number, fault: Fault | undefined): Iterable<Uint8Array> {
  if (fault === undefined) {
    yield chunk;
    return;
  }
  const end = Math.min(chunk.length, most);
  for (let at = 0; at < end; at += slice) yield chunk.subarray(at, Math.min(end, at + slice));
}

async function breakAt(
  sent: number,
  response: ServerResponse,
  fault: Fault | undefined,
  signal: AbortSignal,
): Promise<void> {
  const failure = fault?.failure;
  if (failure?.kind === 'stall' && typeof failure.at === 'number' && sent >= failure.at)
    await pause(Infinity, signal);
  if (failure?.kind === 'cut' && sent >= failure.at) {
    // Not `destroy`, which would drop buffered data.
    response.socket?.destroySoon();
    await pause(Infinity, signal);
  }
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      response.off('drain', onDrain);
      reject(new Error('The client has gone.'));
    };
    if (signal.aborted) onAbort();
    else {
      response.once('drain', onDrain);
      signal.addEventListener('abort', onAbort, { once: true });
    }
  });
}

/** An error response in S3's form. */
export function errorReply(error: GatewayError, resource: string, requestId: string): Reply {
  const { status, code, message, headers, elements } = error;
  if (status === 304) return { status, headers };
  return {
    status,
    headers,
    xml: errorDocument({
      Code: code,
      Message: message,
      ...elements,
      Resource: resource,
      RequestId: requestId,
    }),
  };
}
