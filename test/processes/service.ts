/**
 * A service on loopback that takes each batch of an `httpSink` once: it remembers the last mark of each job and sink with the
 * rows. It fails before or after it takes a batch, as the caller decides.
 */
import { isNewBatch, LowerEpoch, type OutboxMark } from 'millrace';
import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** `before`: it answers 503. `after`: it takes the batch, and breaks the connection. */
export type Meeting = 'take' | 'before' | 'after';

export interface RunningService {
  readonly url: string;
  close(): Promise<void>;
}

/** @param take receives the records of a batch, which come once */
export async function startService(
  meet: () => Meeting,
  take: (records: readonly unknown[], key: string) => void,
): Promise<RunningService> {
  const last = new Map<string, OutboxMark>();
  /** The status; `undefined` if nobody will read it. */
  const handle = async (request: IncomingMessage): Promise<number | undefined> => {
    const body = await text(request);
    const meeting = meet();
    if (meeting === 'before') return 503;
    const mark = markOf(request);
    const of = `${mark.jobId} ${mark.sink}`;
    try {
      if (isNewBatch(mark, last.get(of))) {
        const lines = body.split('\n').filter((line) => line !== '');
        take(
          lines.map((line) => JSON.parse(line) as unknown),
          String(request.headers['idempotency-key']),
        );
        last.set(of, mark);
      } else last.set(of, { ...mark, ...last.get(of), epoch: mark.epoch });
    } catch (error) {
      if (error instanceof LowerEpoch) return 403;
      throw error;
    }
    return meeting === 'after' ? undefined : 200;
  };
  const server = createServer((request, response) => {
    handle(request).then(
      (status) => (status === undefined ? request.socket.destroy() : response.writeHead(status).end()),
      () => request.socket.destroy(), // cut off by a kill
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/rows`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function markOf({ headers }: IncomingMessage): OutboxMark {
  const of = (name: string): string => String(headers[`millrace-${name}`]);
  return {
    jobId: of('job'),
    sink: of('sink'),
    epoch: Number(of('epoch')),
    checkpoint: Number(of('checkpoint')),
    sequence: Number(of('sequence')),
  };
}
