/** What must be true once the job of a test has finished. */
import { lastValueFrom, toArray } from 'rxjs';
import { openState, valueState } from 'millrace';
import { audit, isFlushed, keysBelow, leftoversBelow, type Audit } from './audit.js';
import { finished, JobProcess, type Exit } from './child.js';
import type { Task } from './job.js';
import type { Target } from './target.js';

/** After the end: one more start that sweeps, the count, and that of a job which begins with the last savepoint. */
export async function conclude(target: Target, task: Task, prefix: string, records: number): Promise<Audit> {
  if (target.hooks !== undefined) target.hooks.faults = () => undefined;
  const { s3, bucket } = target;
  const run = async (what: Task): Promise<Exit> => new JobProcess(what, target.env).exit;
  const exit = await run(task);
  if (exit.code !== 0) throw new Error(`The start after the end failed: ${JSON.stringify(exit)}`);
  const leftovers = await leftoversBelow(s3, bucket, prefix);
  const place = { bucket, prefix, records };
  const of = { ...place, out: 'out', continues: false, unsent: await unsentOf(target, task.checkpoints) };
  const first = await audit(s3, of);
  const wrong: string[] = [];
  const keys = await keysBelow(s3, bucket, `${prefix}savepoints/`);
  const folders = [...new Set(keys.map((key) => folderOf(key, prefix)))];
  const roots = keys.filter((key) => key.endsWith('/root')).map((key) => key.slice(0, -'/root'.length));
  const from = (folder: string): Task => {
    const to = task.checkpoints.replace(/checkpoints$/, 'after');
    return {
      ...task,
      savepoints: undefined,
      from: `s3://${bucket}/${folder}`,
      output: `${to}/out`,
      checkpoints: `${to}/checkpoints`,
    };
  };
  const cut = folders.find((folder) => !roots.includes(folder));
  if (cut !== undefined) {
    const refused = await run(from(cut));
    if (refused.last?.code !== 'SavepointIncomplete')
      wrong.push(`A savepoint that was cut short: ${JSON.stringify(refused)}`);
  }
  const last = roots.at(-1);
  if (last === undefined) return { ...first, leftovers, wrong: [...first.wrong, ...wrong] };
  const next = from(last);
  finished(await run(next));
  const unsent = await unsentOf(target, next.checkpoints);
  const flushed = await isFlushed(s3, bucket, last);
  const second = await audit(s3, { ...place, out: 'after/out', continues: true, flushed, unsent });
  return {
    lost: first.lost + second.lost,
    duplicated: first.duplicated + second.duplicated,
    leftovers,
    wrong: [...first.wrong, ...wrong, ...second.wrong.map((each) => `After the savepoint ${last}: ${each}`)],
  };
}

/** The folder of the savepoint that an object is in. */
const folderOf = (key: string, prefix: string): string =>
  `${prefix}savepoints/${key.slice(`${prefix}savepoints/`.length).split('/')[0] ?? ''}`;

/** What a finished job holds of each user, from its state. */
async function unsentOf(target: Target, checkpoints: string): Promise<(user: string) => number> {
  const { AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = target.env;
  using state = openState(`${checkpoints}/counts`, {
    s3: {
      endpoint: AWS_ENDPOINT_URL_S3 ?? '',
      region: AWS_REGION ?? '',
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID ?? '', secretAccessKey: AWS_SECRET_ACCESS_KEY ?? '' },
    },
    states: { unsent: valueState(0) },
  });
  const held = await lastValueFrom(state.entries('per-user', 'unsent').pipe(toArray()));
  const byUser = new Map(held.map(({ key, value }) => [key, value]));
  return (user) => byUser.get(user) ?? 0;
}
