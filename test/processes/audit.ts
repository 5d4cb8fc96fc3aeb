/** The independent audit: reads a bucket with only the AWS SDK, and returns the errors of the job's output. */
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { entryOf, keptBy } from '../support/entry.js';
import { eventOf, type Event } from './input.js';

export interface Audit {
  readonly lost: number;
  readonly duplicated: number;
  /** Unfinished uploads anywhere in the bucket, and objects of the job that are neither input, output, log, nor named by it. */
  readonly leftovers: readonly string[];
  /** Descriptions of other errors. */
  readonly wrong: readonly string[];
}

/** Expects events 0 to `records` below `prefix`. */
export async function audit(s3: S3Client, bucket: string, prefix: string, records: number): Promise<Audit> {
  const wrong: string[] = [];
  const times = new Uint16Array(records);
  const last = new Map<string, number>();
  const counts = new Map<string, number>();
  const rising = (what: string, value: number): void => {
    if (value <= (last.get(what) ?? -1)) wrong.push(`${what}: ${value} comes after ${last.get(what) ?? 0}`);
    last.set(what, value);
  };
  for (const key of await keysBelow(s3, bucket, `${prefix}out/`)) {
    const text = await textOf(s3, bucket, key);
    if (!text.endsWith('\n')) wrong.push(`${key} is not whole`);
    for (const line of text.split('\n').slice(0, -1)) {
      const { id, user, partition, count } = JSON.parse(line) as Event & { readonly count: number };
      const event = eventOf(id);
      if (id >= records || event.user !== user || event.partition !== partition)
        wrong.push(`${key}: nobody wrote ${line.slice(0, 100)}`);
      else times[id] = (times[id] ?? 0) + 1;
      if (!key.startsWith(`${prefix}out/p=${partition}/`)) wrong.push(`${key}: not the partition of ${id}`);
      rising(`partition ${partition}`, id);
      rising(`partition ${partition}, ${user}`, count);
      counts.set(user, Math.max(counts.get(user) ?? 0, count));
    }
  }
  const expected = new Map<string, number>();
  for (let id = 0; id < records; id++) {
    const { user } = eventOf(id);
    expected.set(user, (expected.get(user) ?? 0) + 1);
  }
  for (const [user, count] of expected) {
    if (counts.get(user) !== count) wrong.push(`${user} is counted ${counts.get(user) ?? 0}, not ${count}`);
  }
  return {
    lost: times.filter((each) => each === 0).length,
    duplicated: times.reduce((sum, each) => sum + Math.max(0, each - 1), 0),
    leftovers: await leftoversBelow(s3, bucket, prefix),
    wrong: wrong.slice(0, 10),
  };
}

/** What a finished job must not leave. Its input is in `raw/`, its output in `out/`. */
export async function leftoversBelow(s3: S3Client, bucket: string, prefix: string): Promise<string[]> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  const keys = await keysBelow(s3, bucket, prefix);
  const newest = keys.findLast((key) => key.startsWith(`${prefix}checkpoints/counts/log/`));
  const kept =
    newest === undefined
      ? new Set<string>()
      : keptBy(entryOf(await textOf(s3, bucket, newest)), `${prefix}checkpoints`, 'counts');
  const others = keys.filter(
    (key) => !key.startsWith(`${prefix}raw/`) && !key.startsWith(`${prefix}out/`) && !kept.has(key),
  );
  return [...Uploads.map(({ Key }) => `upload ${Key ?? ''}`), ...others.map((key) => `object ${key}`)];
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
