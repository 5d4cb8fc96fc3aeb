/** The independent audit: reads a bucket with only the AWS SDK, and returns the errors of the job's output. */
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { entryOf, keptBy } from '../support/entry.js';
import { eventOf, expectedOf, timeOf, windowLength, windowName, type Counted } from './input.js';

export interface Audit {
  readonly lost: number;
  readonly duplicated: number;
  /** Unfinished uploads anywhere in the bucket, and objects of the job that are neither input, output, log, nor named by it. */
  readonly leftovers: readonly string[];
  /** Descriptions of other errors. */
  readonly wrong: readonly string[];
}

export interface AuditOptions {
  readonly bucket: string;
  readonly prefix: string;
  /** Number of events. */
  readonly records: number;
  /** The folder below `prefix`. */
  readonly out: string;
  /** Whether the job began with a savepoint: its output is what comes after that. */
  readonly continues: boolean;
  /** Whether the input was over at that savepoint, so that all windows were sent before it. Default `false`. */
  readonly flushed?: boolean;
  /** What the job holds of each user that it has not sent yet. */
  readonly unsent: (user: string) => number;
}

/** Expects each event, window and batch once. */
export async function audit(
  s3: S3Client,
  { bucket, prefix, records, out, continues, flushed = false, unsent }: AuditOptions,
): Promise<Omit<Audit, 'leftovers'>> {
  const wrong: string[] = [];
  const times = new Uint16Array(records);
  const last = new Map<string, number>();
  const expected = expectedOf(records);
  const windows = new Map<string, number>();
  const sent = new Map<string, number>();
  for (const key of await keysBelow(s3, bucket, `${prefix}${out}/`)) {
    const text = await textOf(s3, bucket, key);
    if (!text.endsWith('\n')) wrong.push(`${key} is not whole`);
    for (const line of text.split('\n').slice(0, -1)) {
      const found = JSON.parse(line) as Counted;
      if ('batch' in found) sent.set(found.user, (sent.get(found.user) ?? 0) + found.batch);
      else if ('window' in found) {
        const name = windowName(found.window, found.user);
        if (windows.has(name)) wrong.push(`${name} is there twice`);
        windows.set(name, found.window);
        if (expected.windows.get(name) !== found.events)
          wrong.push(`${name} has ${found.events}, not ${expected.windows.get(name) ?? 0}`);
      } else {
        const { id, user, partition, count, recent } = found;
        const event = eventOf(id);
        if (id >= records || event.user !== user || event.partition !== partition)
          wrong.push(`${key}: nobody wrote ${line.slice(0, 100)}`);
        else times[id] = (times[id] ?? 0) + 1;
        if (expected.counts[id] !== count || expected.recents[id] !== recent)
          wrong.push(
            `${id} has count ${count} and recent ${recent}, not ${expected.counts[id] ?? 0} and ${expected.recents[id] ?? 0}`,
          );
        if (!key.startsWith(`${prefix}${out}/p=${partition}/`))
          wrong.push(`${key}: not the partition of ${id}`);
        if (id <= (last.get(`${partition}`) ?? -1))
          wrong.push(`partition ${partition}: ${id} comes after ${last.get(`${partition}`) ?? 0}`);
        last.set(`${partition}`, id);
      }
    }
  }
  const first = continues ? times.findIndex((each) => each > 0) : 0;
  const from = first < 0 ? records : first;
  for (const [name] of expected.windows) {
    const window = Number(name.split(' ')[1]);
    const before = flushed || window + windowLength <= timeOf(from - 1);
    if (windows.has(name) === before) wrong.push(`${name} is ${before ? 'there again' : 'missing'}`);
  }
  // A job that continues has those, too, that were not sent at the savepoint.
  for (const [user, total] of expected.users) {
    const all = (sent.get(user) ?? 0) + unsent(user);
    if (continues ? all > total : all !== total) wrong.push(`${user}: ${all} of ${total} are sent or unsent`);
  }
  return {
    lost: times.subarray(from).filter((each) => each === 0).length,
    duplicated: times.reduce((sum, each) => sum + Math.max(0, each - 1), 0),
    wrong: wrong.slice(0, 10),
  };
}

/** What a finished job must not leave. Its input is in `raw/`, its output in `out/`; savepoints are the user's. */
export async function leftoversBelow(s3: S3Client, bucket: string, prefix: string): Promise<string[]> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  const keys = await keysBelow(s3, bucket, prefix);
  const newest = keys.findLast((key) => key.startsWith(`${prefix}checkpoints/counts/log/`));
  const kept =
    newest === undefined
      ? new Set<string>()
      : keptBy(entryOf(await textOf(s3, bucket, newest)), `${prefix}checkpoints`, 'counts');
  const others = keys.filter(
    (key) =>
      !['raw/', 'out/', 'savepoints/'].some((folder) => key.startsWith(prefix + folder)) && !kept.has(key),
  );
  return [...Uploads.map(({ Key }) => `upload ${Key ?? ''}`), ...others.map((key) => `object ${key}`)];
}

/** Whether the input was over at a savepoint. */
export async function isFlushed(s3: S3Client, bucket: string, savepoint: string): Promise<boolean> {
  return entryOf(await textOf(s3, bucket, `${savepoint}/root`)).operators['events']?.ended === true;
}

async function textOf(s3: S3Client, bucket: string, key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToString()) ?? '';
}

export async function keysBelow(s3: S3Client, bucket: string, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for (let token: string | undefined, more = true; more;) {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }),
    );
    for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
    token = page.NextContinuationToken;
    more = token !== undefined;
  }
  return keys;
}
