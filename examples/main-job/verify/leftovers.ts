/**
 * Finds what a finished job must not leave: unfinished uploads, and objects in its checkpoint directory that are
 * neither log entries nor named by the newest entry. Does not import millrace; an entry is a line with a checksum,
 * then JSON.
 */
import { GetObjectCommand, ListMultipartUploadsCommand, type S3Client } from '@aws-sdk/client-s3';
import { list, type Place } from './objects.js';

interface Committable {
  readonly objects?: readonly string[];
}

interface Entry {
  readonly n: number;
  readonly operators: Readonly<
    Record<string, { readonly open: readonly Committable[]; readonly objects: readonly string[] }>
  >;
  readonly pending: readonly { readonly committable: Committable }[];
}

/** `place`: all of the run; `checkpoints`: the prefix of the checkpoint directory; `job`: the job's name. */
export async function leftovers(
  s3: S3Client,
  place: Place,
  checkpoints: string,
  job: string,
): Promise<string[]> {
  const { bucket, prefix } = place;
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
  const keys: string[] = [];
  for await (const { key } of list(s3, { ...place, prefix: checkpoints })) keys.push(key);
  const newest = keys.findLast((key) => key.startsWith(`${checkpoints}${job}/log/`));
  const kept = newest === undefined ? [] : namedBy(await entryAt(s3, bucket, newest));
  const known = new Set([`${checkpoints}probe.json`, ...kept.map((name) => `${checkpoints}${job}/${name}`)]);
  return [
    ...Uploads.map(({ Key = '' }) => `upload ${Key}`),
    ...keys.filter((key) => !known.has(key)).map((key) => `object ${key}`),
  ];
}

async function entryAt(s3: S3Client, bucket: string, key: string): Promise<Entry> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const text = (await Body?.transformToString()) ?? '';
  return JSON.parse(text.slice(text.indexOf('\n') + 1)) as Entry;
}

/** Below the job's directory: the last two entries, and what the newest one names. */
function namedBy({ n, operators, pending }: Entry): string[] {
  const states = Object.values(operators);
  const files = [...states.flatMap(({ open }) => open), ...pending.map(({ committable }) => committable)];
  return [
    ...[n, n - 1].map((each) => `log/${each.toString().padStart(20, '0')}`),
    ...states.flatMap(({ objects }) => objects),
    ...files.flatMap(({ objects = [] }) => objects),
  ];
}
