import { createJob, files, ndjson, toAsyncIterable } from 'millrace';

interface Visit {
  readonly id: number;
  readonly kind: string;
}

/** Passes visits to `send` one after the other. */
export async function sendVisits(send: (visit: Visit) => Promise<void>): Promise<void> {
  const job = createJob({
    name: 'visits',
    checkpoints: { dir: 'memory://visits/checkpoints', interval: '10s' },
  });
  const visits = job.source('raw', files('memory://visits/raw/', { format: ndjson<Visit>() }));
  for await (const visit of toAsyncIterable('out', visits, (leaf) => job.run(leaf))) await send(visit);
}
