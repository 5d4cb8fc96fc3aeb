import { createJob, files, ndjson, outboxSink, records, type OutboxMark, type RunResult } from 'millrace';
import { filter } from 'rxjs';

interface Order {
  readonly id: number;
  readonly total: number;
}

/** The first line of a dead letter. A line for each record follows. */
interface Header {
  readonly mark: OutboxMark;
  readonly error: { readonly code: string; readonly message: string };
}

/** Hands the orders of all dead letters to `add` again, once the target is fixed. */
export function replayOrders(
  add: (batch: readonly Order[], mark: OutboxMark) => Promise<void>,
): Promise<RunResult> {
  const job = createJob({
    name: 'orders-again',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '10s' },
  });
  const lines = files('memory://lake/rejected/*.ndjson', { format: ndjson<Header | Order>() });
  return job.run(
    job.source('rejected', lines).pipe(
      records(filter((line): line is Order => !('mark' in line))),
      outboxSink('invoices', {
        publish: add,
        onPoison: { deadLetter: 'memory://lake/rejected-again' },
      }),
    ),
  );
}
