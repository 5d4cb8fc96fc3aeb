import { createJob, fileSink, files, keyed, ndjson, valueState, type RunResult } from 'millrace';

export function countVisits(): Promise<RunResult> {
  const job = createJob({
    name: 'visits',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '10s' },
  });
  const counts = job.source('raw', files('memory://lake/raw/', { format: ndjson<{ user: string }>() })).pipe(
    keyed('per-user', {
      key: ({ user }) => user,
      state: { visits: valueState(0) },
      onRecord: ({ user }, { visits }) => [{ user, visits: visits.update((n) => n + 1) }],
    }),
    fileSink('out', 'memory://lake/counts', { format: ndjson() }),
  );
  return job.run(counts);
}
