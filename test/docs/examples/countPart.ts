import {
  createJob,
  fileSink,
  files,
  keyed,
  keyGroupOf,
  keyGroupRange,
  ndjson,
  records,
  valueState,
  type JobOptions,
} from 'millrace';
import { filter } from 'rxjs';

/** Job `index` of several, which counts the visits of its own users. */
export function countPart(index: number, jobs: number, options: Pick<JobOptions, 'from'> = {}) {
  const keyGroups = keyGroupRange(index, jobs);
  const isOwn = ({ user }: { user: string }): boolean => {
    const group = keyGroupOf(user);
    return keyGroups.first <= group && group <= keyGroups.last;
  };
  const job = createJob({
    name: `visits-${index}-of-${jobs}`,
    keyGroups,
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '10s' },
    ...options,
  });
  const counts = job.source('raw', files('memory://lake/raw/', { format: ndjson<{ user: string }>() })).pipe(
    records(filter(isOwn)),
    keyed('per-user', {
      key: ({ user }) => user,
      state: { visits: valueState(0) },
      onRecord: ({ user }, { visits }) => [{ user, visits: visits.update((n) => n + 1) }],
    }),
    fileSink('out', 'memory://lake/counts', { format: ndjson() }),
  );
  return { job, counts };
}
