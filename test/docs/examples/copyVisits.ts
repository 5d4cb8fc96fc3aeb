import { files, fileSink, ndjson, type Flow, type Job } from 'millrace';

interface Visit {
  readonly user: string;
}

/** Copies visits as they arrive, until `job.run(copyVisits(job), { signal: stopOn('SIGTERM') })` is stopped. */
export function copyVisits(job: Job): Flow<never> {
  return job
    .source('raw', files('memory://lake/raw/', { format: ndjson<Visit>(), discover: { every: '10s' } }))
    .pipe(fileSink('out', 'memory://lake/visits', { format: ndjson(), roll: { age: '1m' } }));
}
