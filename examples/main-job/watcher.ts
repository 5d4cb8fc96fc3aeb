/**
 * A concurrent consumer in its own process: it lists the published objects continuously, reads and parses each new
 * one to its end, and rereads a known one. Nothing partial may ever be visible: every line is a complete record, the
 * last one ends in a newline, and no object ever changes, shrinks or disappears.
 *
 * Started with one argument, the place as JSON. On the message `finish` it makes one last full round and answers with
 * the {@link Watch}; it also does so, by message, whenever it has found something new. Does not import millrace.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { client, list, Partial, read, type Listed, type Place } from './verify/objects.js';

export interface Watch {
  readonly rounds: number;
  readonly objects: number;
  /** Objects read to their end and parsed, repeats included. */
  readonly reads: number;
  readonly partial: number;
  readonly findings: readonly string[];
  readonly finished: boolean;
}

const place = JSON.parse(process.argv[2] ?? '') as Place;
const s3 = client(place);
const known = new Map<string, Listed & { readonly sha256: string }>();
const broken = new Map<string, string>();
const wake = new AbortController();
let rounds = 0;
let reads = 0;
const asked = { toFinish: false };

process.on('message', (message) => {
  if (message === 'finish') {
    asked.toFinish = true;
    wake.abort();
  }
});
process.on('disconnect', () => process.exit(0)); // the demo is gone

for (;;) {
  const last = asked.toFinish;
  const found = reads + broken.size;
  await round();
  rounds++;
  if (last) break;
  if (reads + broken.size > found) process.send?.(watch(false));
  await pause(100, undefined, { signal: wake.signal }).catch(() => undefined);
}
await new Promise((sent) => process.send?.(watch(true), sent));
s3.destroy();
process.disconnect();

async function round(): Promise<void> {
  const listed = new Map<string, Listed>();
  for await (const object of list(s3, place)) {
    listed.set(object.key, object);
    const before = known.get(object.key);
    if (before === undefined) await check(object);
    else if (before.size !== object.size || before.etag !== object.etag)
      broken.set(object.key, 'changed after it was published');
  }
  for (const key of known.keys()) if (!listed.has(key)) broken.set(key, 'went away after it was published');
  const again = [...known.values()][rounds % Math.max(1, known.size)];
  if (again !== undefined && listed.has(again.key)) await check(again, again.sha256);
}

async function check(object: Listed, expected?: string): Promise<void> {
  try {
    const sha256 = await read(s3, place, object);
    reads++;
    if (expected !== undefined && expected !== sha256)
      broken.set(object.key, 'has other bytes than when it was published');
    known.set(object.key, { ...object, sha256 });
  } catch (error) {
    // What cannot be read now is read in the next round; malformed content is reported.
    if (error instanceof Partial) broken.set(object.key, error.message);
    else if (asked.toFinish) throw error;
  }
}

function watch(finished: boolean): Watch {
  return {
    rounds,
    objects: known.size,
    reads,
    partial: broken.size,
    findings: [...broken].slice(0, 10).map(([key, what]) => `${key}: ${what}`),
    finished,
  };
}
