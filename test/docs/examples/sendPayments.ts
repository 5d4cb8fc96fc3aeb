import {
  createJob,
  files,
  isNewBatch,
  isPublished,
  ndjson,
  outboxSink,
  type OutboxLastMark,
  type OutboxMark,
  type RunResult,
} from 'millrace';

interface Payment {
  readonly id: number;
}

/** In place of a database: each method is one transaction. */
export class Ledger {
  rows: readonly Payment[] = [];
  readonly #last = new Map<string, OutboxLastMark>();

  add(batch: readonly Payment[], mark: OutboxMark): Promise<void> {
    if (isNewBatch(mark, this.#last.get(mark.sink))) {
      this.rows = [...this.rows, ...batch];
      this.#last.set(mark.sink, mark);
    }
    return Promise.resolve();
  }

  /** Whether it has the batch. If not, a try that arrives later is refused. */
  has(mark: OutboxMark): Promise<boolean> {
    const has = isPublished(mark, this.#last.get(mark.sink));
    if (!has) this.#last.set(mark.sink, { ...mark, skipped: true });
    return Promise.resolve(has);
  }
}

/** Each payment is in the ledger or among the dead letters, and never in both. */
export function sendPayments(ledger: Ledger): Promise<RunResult> {
  const job = createJob({
    name: 'payments',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '10s' },
  });
  return job.run(
    job.source('raw', files('memory://lake/payments/', { format: ndjson<Payment>() })).pipe(
      outboxSink('ledger', {
        publish: (batch, mark) => ledger.add(batch, mark),
        published: (batch, mark) => ledger.has(mark),
        onPoison: { deadLetter: 'memory://lake/refused' },
      }),
    ),
  );
}
