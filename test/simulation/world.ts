import { toArray, type Observable } from 'rxjs';
import { listAll, type ObjectStore } from 'millrace/stores';
import { recordsOf } from '../support/encoders.js';
import { entryOf, type Entry } from '../support/entry.js';
import { Table } from '../../examples/outbox/table.js';
import { between, seeded } from './random.js';
import type { Scenario } from './scenario.js';

/** An input record. */
export interface Event {
  readonly id: number;
  readonly source: 'a' | 'b';
  readonly user: string;
  readonly partition: number;
}

/** An output record: the event, and the number of its user's events so far. */
export interface Output extends Event {
  readonly count: number;
}

export interface Input {
  readonly events: readonly Event[];
  /** Malformed lines: object and 1-based line. */
  readonly malformed: readonly {
    readonly source: 'a' | 'b';
    readonly object: string;
    readonly line: number;
  }[];
  /** Only records of one object are in order, since several are read at the same time: the number of records in each. */
  readonly perObject?: number;
  /** Objects are read in splits: lines of malformed records are not known. */
  readonly split?: boolean;
}

/** The errors of the output; empty if it is exact. */
export interface Findings {
  readonly lost: number;
  readonly duplicated: number;
  /** Descriptions of other errors: order, counts, dead letters, partial files. */
  readonly wrong: readonly string[];
}

/** The synchronous answer of a memory store. */
export function now<T>(answer: Observable<T>): T {
  let value: { readonly it: T } | undefined;
  answer.subscribe((it) => {
    value = { it };
  });
  if (value === undefined) throw new Error('A memory store answers at once.');
  return value.it;
}

export function keysOf(store: ObjectStore, prefix: string): string[] {
  return now(listAll(store, prefix).pipe(toArray()))
    .flat()
    .map(({ key }) => key);
}

export function textOf(store: ObjectStore, key: string): string {
  return bytesOf(store, key).toString();
}

function bytesOf(store: ObjectStore, key: string): Buffer {
  return Buffer.concat(now(store.get(key)).chunks);
}

/** Writes the input below `raw/a/` and `raw/b/`. */
export function fill(store: ObjectStore, scenario: Scenario): Input {
  const random = seeded(scenario.seed + 1);
  const events: Event[] = [];
  const malformed: { source: 'a' | 'b'; object: string; line: number }[] = [];
  const perObject = Math.ceil(scenario.records / scenario.objects);
  const merged = scenario.shape === 'merged';
  for (let object = 0; object < scenario.objects; object++) {
    const source = merged && object % 2 === 1 ? 'b' : 'a';
    const key = `raw/${source}/${object}.ndjson`;
    const lines: string[] = [];
    for (let id = object * perObject; id < Math.min(scenario.records, (object + 1) * perObject); id++) {
      if (merged && random() < 0.05) {
        lines.push('{"id": broken');
        malformed.push({ source, object: key, line: lines.length });
      }
      const user = `user-${between(random, 0, 4)}`;
      const event: Event = { id, source, user, partition: between(random, 0, scenario.partitions - 1) };
      events.push(event);
      lines.push(JSON.stringify({ ...event, filler: 'x'.repeat(between(random, 0, 20)) }));
    }
    now(store.put(key, Buffer.from(lines.map((line) => `${line}\n`).join(''))));
  }
  const { parallelism, split } = scenario;
  if (split !== undefined) return { events, malformed, perObject: 1, split: true };
  return { events, malformed, ...(parallelism === undefined ? {} : { perObject }) };
}

/**
 * Compares what is published with what an uninterrupted run may publish: each event once, in its partition; within a
 * source (or an object of it) and within a user in order; the counts of each user 1, 2, …; each malformed line of `b` as one dead letter.
 */
export function audit(store: ObjectStore, input: Input): Findings {
  const wrong: string[] = [];
  const times = new Map<number, number>();
  const counts = new Map<string, number[]>();
  const last = new Map<string, number>();
  const known = new Map(input.events.map((event) => [event.id, event]));
  const rising = (what: string, value: number): void => {
    if (value <= (last.get(what) ?? -1)) wrong.push(`${what}: ${value} comes after ${last.get(what) ?? 0}`);
    last.set(what, value);
  };
  for (const { key, line } of [...linesBelow(store, 'out/p=', wrong), ...tableRows(store)]) {
    const { id, source, user, partition, count } = JSON.parse(line) as Output;
    const event = known.get(id);
    if (event === undefined) {
      wrong.push(`${key}: nobody wrote ${line}`);
      continue;
    }
    times.set(id, (times.get(id) ?? 0) + 1);
    if (event.user !== user || event.source !== source || event.partition !== partition)
      wrong.push(`${key}: ${line} is not what was written`);
    if (!key.startsWith(`out/p=${partition}/`)) wrong.push(`${key}: ${line} is in a wrong partition`);
    const stream = input.perObject === undefined ? source : `${source}/${Math.floor(id / input.perObject)}`;
    rising(`partition ${partition}, source ${stream}`, id);
    rising(`partition ${partition}, ${user}`, count);
    counts.set(user, [...(counts.get(user) ?? []), count]);
  }
  for (const [user, seen] of counts) {
    seen.sort((a, b) => a - b);
    if (seen.some((count, index) => count !== index + 1)) wrong.push(`${user} is counted ${seen.join(', ')}`);
  }
  const letters = linesBelow(store, 'rejects/', wrong).map(({ line }) => {
    const letter = JSON.parse(line) as { readonly object: string; readonly line: number };
    return `${letter.object.replace('memory://lake/', '')}:${input.split === true ? '' : letter.line}`;
  });
  const rejected = input.malformed
    .filter(({ source }) => source === 'b')
    .map(({ object, line }) => `${object}:${input.split === true ? '' : line}`);
  if (input.perObject !== undefined) letters.sort();
  if (letters.join() !== (input.perObject === undefined ? rejected : rejected.sort()).join())
    wrong.push(`the dead letters are ${letters.join()}, not ${rejected.join()}`);
  const copies = [...times.values()];
  return {
    lost: input.events.length - times.size,
    duplicated: copies.reduce((sum, each) => sum + each - 1, 0),
    wrong,
  };
}

export const tableUri = 'memory://lake/out/table';

/** The rows of the table, as if each partition were a file. */
function tableRows(store: ObjectStore): { readonly key: string; readonly line: string }[] {
  const rows = now(new Table(store, 'out/table').rows()) as readonly Output[];
  return rows.map((row) => ({ key: `out/p=${row.partition}/`, line: JSON.stringify(row) }));
}

/** Lines of all files below a prefix; files in the order of their names. */
function linesBelow(
  store: ObjectStore,
  prefix: string,
  wrong: string[],
): { readonly key: string; readonly line: string }[] {
  return keysOf(store, prefix).flatMap((key) => {
    try {
      return recordsOf(key, bytesOf(store, key)).map((record) => ({
        key,
        line: JSON.stringify(record),
      }));
    } catch (error) {
      wrong.push(`${key}: ${String(error)}`);
      return [];
    }
  });
}

/** The number of lines that a source has skipped, according to the newest checkpoint. */
export function skippedBy(store: ObjectStore, job: string, source: string): number {
  const newest = keysOf(store, `${job}/log/`).at(-1);
  if (newest === undefined) throw new Error('The job has no log.');
  const snapshot = manifestAt(store, newest).operators[source]?.snapshot;
  return (snapshot as { readonly skipped?: number } | undefined)?.skipped ?? 0;
}

/** The entry of a log under that key. */
export function manifestAt(store: ObjectStore, key: string): Entry {
  return entryOf(textOf(store, key));
}
