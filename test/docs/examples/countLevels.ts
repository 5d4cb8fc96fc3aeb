import { fileSink, files, keyed, ndjson, text, valueState, type Flow, type Job } from 'millrace';

/** Counts the lines of each level in a large log. Their order does not matter, so eight ranges of it are read at the same time. */
export function countLevels(job: Job, log: string): Flow<never> {
  return job.source('log', files(log, { format: text(), parallelism: 8, splits: { size: '64MiB' } })).pipe(
    keyed('per level', {
      key: (line) => line.slice(0, line.indexOf(' ')),
      state: { lines: valueState(0) },
      onRecord: (line, { lines }) => [
        { level: line.slice(0, line.indexOf(' ')), lines: lines.update((n) => n + 1) },
      ],
    }),
    fileSink('out', 'memory://lake/levels', { format: ndjson() }),
  );
}
