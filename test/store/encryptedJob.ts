import { lastValueFrom, map } from 'rxjs';
import { createJob, fileSink, files, keyed, ndjson, records, valueState } from '../../src/index.js';
import type { S3Options } from '../../src/config/s3Options.js';
import { loadConfig } from '../../src/config/load/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { answer } from './s3support.js';

interface Input {
  readonly id: number;
  readonly user: string;
}

export const inputs = ['raw/1.ndjson', 'raw/2.ndjson'] as const;
const perFile = 400;

/** Two files, each worth more than the 64 KiB of tails that would go into the manifest itself. */
export async function writeInput(store: ObjectStore): Promise<void> {
  for (const [file, key] of inputs.entries()) {
    const lines = Array.from({ length: perFile }, (_, i) =>
      JSON.stringify({ id: file * perFile + i, user: `user-${i % 7}` }),
    );
    await answer(store.put(key, Buffer.from(`${lines.join('\n')}\n`)));
  }
}

/** Files → keyed state → files: everything that a job writes. Resolves when it is finished. */
export async function runJob(bucket: string, s3: S3Options): Promise<void> {
  const at = `s3://${bucket}`;
  const job = createJob({
    name: 'sealed',
    checkpoints: { dir: `${at}/checkpoints`, interval: 20 },
    config: loadConfig({ env: {}, cwd: '/nonexistent' }),
    s3,
  });
  const out = job.source('in', files(`${at}/raw/*.ndjson`, { format: ndjson<Input>() })).pipe(
    records(map(({ id, user }) => ({ id, user }))),
    keyed('per-user', {
      key: ({ user }) => user,
      state: { seen: valueState(0) },
      onRecord: (record, { seen }) => [
        { ...record, count: seen.update((n) => n + 1), padding: '.'.repeat(500) },
      ],
    }),
    fileSink('out', `${at}/out`, { format: ndjson() }),
  );
  await job.run(out);
}

/** The ids in what the job has published, sorted. */
export async function published(store: ObjectStore): Promise<number[]> {
  const { objects } = await answer(store.list({ prefix: 'out/' }));
  const ids: number[] = [];
  for (const { key } of objects) {
    const { chunks } = await lastValueFrom(store.get(key));
    for (const line of Buffer.concat(chunks).toString().trim().split('\n'))
      ids.push((JSON.parse(line) as Input).id);
  }
  return ids.sort((a, b) => a - b);
}

export const everyId: readonly number[] = Array.from({ length: perFile * inputs.length }, (_, i) => i);
