import {
  createJob,
  fileSink,
  files,
  isNewBatch,
  ndjson,
  outboxSink,
  records,
  type OutboxMark,
  type RunResult,
} from 'millrace';
import { filter, share } from 'rxjs';

interface Order {
  readonly id: number;
  readonly total: number;
}

/** In place of a database: `add` is one transaction: the rows and the mark, or neither. */
export class Invoices {
  rows: readonly Order[] = [];
  readonly #last = new Map<string, OutboxMark>();

  add(batch: readonly Order[], mark: OutboxMark): Promise<void> {
    const key = `${mark.jobId}/${mark.sink}`;
    if (isNewBatch(mark, this.#last.get(key))) {
      this.rows = [...this.rows, ...batch];
      this.#last.set(key, mark);
    }
    return Promise.resolve();
  }
}

/** All orders go to files, and the large ones to a database as well, with the same checkpoints. */
export function sendOrders(invoices: Invoices): Promise<RunResult> {
  const job = createJob({
    name: 'orders',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '10s' },
  });
  const orders = job.source('raw', files('memory://lake/orders/', { format: ndjson<Order>() })).pipe(share());
  const large = orders.pipe(records(filter(({ total }) => total >= 100)));
  return job.run(
    orders.pipe(fileSink('archive', 'memory://lake/archive', { format: ndjson() })),
    large.pipe(
      outboxSink('invoices', {
        publish: (batch, mark) => invoices.add(batch, mark),
        onPoison: { deadLetter: 'memory://lake/rejected' },
      }),
    ),
  );
}
