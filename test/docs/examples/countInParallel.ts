import { fileSink, files, keyed, ndjson, valueState, type Flow, type Job } from 'millrace';

interface Visit {
  readonly user: string;
}

/** Counts the visits of each user. The order of the objects does not matter, so four are read at the same time. */
export function countInParallel(job: Job): Flow<never> {
  return job
    .source('raw', files('memory://lake/raw/**/*.gz', { format: ndjson<Visit>(), parallelism: 4 }))
    .pipe(
      keyed('per user', {
        key: ({ user }) => user,
        state: { visits: valueState(0) },
        onRecord: ({ user }, { visits }) => [{ user, visits: visits.update((n) => n + 1) }],
      }),
      fileSink('out', 'memory://lake/counts', { format: ndjson() }),
    );
}
