import { fileSink, files, ndjson, type Flow, type Job } from 'millrace';

interface Visit {
  readonly user: string;
}

/** Runs with `budget: '2MiB'` and `memory: '20MiB'` of `createJob`. */
export function copyFrugally(job: Job): Flow<never> {
  const prefetch = { window: 3, fragment: '1MiB' } as const;
  return job.source('raw', files('memory://lake/raw/', { format: ndjson<Visit>(), prefetch })).pipe(
    fileSink('out', 'memory://lake/visits', {
      format: ndjson(),
      partSize: '5MiB',
      budget: '10MiB',
      roll: { size: '1GiB' },
    }),
  );
}
