/**
 * The README's example, small enough to watch: `node build/examples/clicks.js [directory]`.
 *
 * It counts clicks per user on files of a directory. Kill it and run it again on the same directory: it continues
 * from its checkpoint, and no click is counted twice. Once it has finished, a second run does nothing, even if `raw/`
 * has new files. With `s3://` instead of `file://` the same job runs on a bucket.
 */
import { createJob, fileSink, files, keyed, ndjson, records, stopOn, valueState } from 'millrace';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { filter, map } from 'rxjs';

interface Visit {
  readonly user: string;
  readonly kind: string;
  readonly at: string;
}

const dir = resolve(process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'millrace-clicks-'))));
const lake = pathToFileURL(dir).href;

await mkdir(join(dir, 'raw'), { recursive: true });
const visits: Visit[] = ['ann', 'bob', 'ann', 'cid', 'ann', 'bob'].map((user, hour) => ({
  user,
  kind: hour === 3 ? 'view' : 'click',
  at: `2026-03-0${hour < 3 ? '2' : '3'}T0${hour.toString()}:00:00Z`,
}));
await writeFile(
  join(dir, 'raw', 'visits.ndjson'),
  visits.map((visit) => `${JSON.stringify(visit)}\n`).join(''),
);

const job = createJob({ name: 'clicks', checkpoints: { dir: `${lake}/checkpoints`, interval: '10s' } });

const clicks = job.source('raw', files(`${lake}/raw/*.ndjson`, { format: ndjson<Visit>() })).pipe(
  records(
    filter((v) => v.kind === 'click'),
    map((v) => ({ user: v.user, day: v.at.slice(0, 10) })),
  ),
  keyed('per-user', {
    key: (v) => v.user,
    state: { clicks: valueState(0) },
    onRecord: (v, { clicks }) => [{ ...v, clicks: clicks.update((n) => n + 1) }],
  }),
  fileSink('out', `${lake}/clicks`, {
    format: ndjson(),
    partitionBy: (v) => `day=${v.day}`,
    roll: { size: '128MiB', age: '1m' },
  }),
);

await job.run(clicks, { signal: stopOn('SIGTERM') });

for (const name of (await readdir(join(dir, 'clicks'), { recursive: true })).sort()) {
  if (name.endsWith('.ndjson')) console.log(`${name}\n${await readFile(join(dir, 'clicks', name), 'utf8')}`);
}
