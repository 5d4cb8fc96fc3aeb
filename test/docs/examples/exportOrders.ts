import { createJob, fileSink, fromReplayable, ndjson, type RunResult } from 'millrace';

interface Order {
  readonly id: number;
  readonly total: number;
}

/** Up to `limit` orders with ids above `after`, in order: in SQL, `where id > $1 order by id limit $2`. */
export type Select = (after: number, limit: number, signal: AbortSignal) => Promise<readonly Order[]>;

/** Exports a table. After a crash it continues after the last row of the last checkpoint. */
export function exportOrders(select: Select): Promise<RunResult> {
  const orders = fromReplayable<Order, number>({
    description: 'orders',
    async *open(after = 0, signal) {
      for (;;) {
        const rows = await select(after, 1000, signal);
        const last = rows.at(-1);
        if (last === undefined) return;
        after = last.id;
        yield { records: rows, next: after };
      }
    },
  });
  const job = createJob({ name: 'orders', checkpoints: { dir: 'memory://shop-export/checkpoints' } });
  return job.run(
    job.source('orders', orders).pipe(fileSink('out', 'memory://shop-export/orders', { format: ndjson() })),
  );
}
