/** The main job's input on a gateway over memory, for rows that run whole jobs. */
import { mkdir } from 'node:fs/promises';
import { dataset } from '../../examples/main-job/dataset.js';
import { upload } from '../../examples/main-job/place.js';
import { s3Client } from '../baselines/s3Client.js';
import { Child } from '../harness/childProcess.js';
import type { RunOptions } from '../harness/row.js';
import type { Params } from '../harness/workload.js';
import { removeAll } from './bucket.js';

const bucket = 'bench';

export interface MainInput {
  /** Params of variants: the server, `bucket`, `events`, and the prefixes `input`, `work`. */
  readonly params: Params;
  /** Removes what a round wrote. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Generates the events (or takes them from the demo's cache) and uploads them. */
export async function mainInput(events: number, { progress }: RunOptions): Promise<MainInput> {
  progress('generating events');
  await mkdir('.demo', { recursive: true });
  const set = await dataset('.demo', { events, seed: 1 });
  const gateway = await Child.start(
    { module: new URL('./gateway.js', import.meta.url).href, start: 'gateway' },
    { bucket },
  );
  const client = s3Client(gateway.info);
  progress('uploading events');
  await upload(
    client,
    { bucket, input: 'input/', output: 'work/', checkpoints: 'work/' },
    set,
    () => undefined,
  );
  return {
    params: { ...gateway.info, bucket, events, input: 'input/', work: 'work/' },
    clear: () => removeAll(client, bucket, 'work/'),
    async close() {
      client.destroy();
      await gateway.close();
    },
  };
}
