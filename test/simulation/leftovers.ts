/**
 * What a finished job leaves in its store: its log, what the log names, and the output. All else is a leftover, wherever it
 * lies, and so is every unfinished upload.
 *
 * No process can remove what takes effect after it has looked: a request of a process that was killed may be on its way
 * still, and so may a manifest of one that has ended. So it is noted who made what, and when, and when each process last
 * looked where.
 */
import { tap } from 'rxjs';
import { decorate, type ObjectStore, type StoreCall } from 'millrace/stores';
import type { Clock } from 'millrace/operators';
import { keptBy } from '../support/entry.js';
import { keysOf, manifestAt, now } from './world.js';

/** What one process created and listed. */
export interface Traces {
  /** When it made an object or an upload, by key or upload id. */
  readonly made: Map<string, number>;
  /** When it first looked at its log: that is when it claimed it. */
  claimed: number | undefined;
  /** When it last looked at a prefix: at objects, and at uploads. */
  readonly listed: Map<string, number>;
  readonly listedUploads: Map<string, number>;
}

/** The store as one process reaches it; what takes effect leaves a trace. */
export function traced(
  store: ObjectStore,
  clock: Clock,
): { readonly store: ObjectStore; readonly traces: Traces } {
  const traces: Traces = { made: new Map(), claimed: undefined, listed: new Map(), listedUploads: new Map() };
  const note = ({ method, key }: StoreCall, answer: unknown): void => {
    const at = clock.now();
    if (method === 'put' || method === 'completeUpload') traces.made.set(key, at);
    else if (method === 'createUpload')
      traces.made.set((answer as { readonly uploadId: string }).uploadId, at);
    else if (method === 'list' && key.endsWith('/log/')) traces.claimed ??= at;
    else if (method === 'list') traces.listed.set(key, at);
    else if (method === 'listUploads') traces.listedUploads.set(key, at);
  };
  const tracedStore = decorate(store, (call, run) => run.pipe(tap((answer) => note(call, answer))));
  return { store: tracedStore, traces };
}

export interface Leftover {
  readonly what: 'upload' | 'object';
  readonly key: string;
  /** What its maker has noted: the upload's id, or the key. */
  readonly id: string;
}

/** Everything in the store that must not be there once `job` is finished. Input is below `raw/`, output below `folders`. */
export function leftovers(store: ObjectStore, job: string, folders: readonly string[]): Leftover[] {
  const newest = keysOf(store, `checkpoints/${job}/log/`).at(-1);
  const kept =
    newest === undefined ? new Set<string>() : keptBy(manifestAt(store, newest), 'checkpoints', job);
  const objects = keysOf(store, '').filter(
    (key) => !['raw/', ...folders].some((folder) => key.startsWith(folder)) && !kept.has(plainOf(key)),
  );
  const { uploads } = now(store.listUploads({ prefix: '' }));
  return [
    ...uploads.map(({ key, uploadId }) => ({ what: 'upload' as const, key, id: uploadId })),
    ...objects.map((key) => ({ what: 'object' as const, key, id: key })),
  ];
}

/** Whether `maker` made it, not before `since`, when `looker` had looked there for the last time. */
export function madeTooLate(
  { what, key, id }: Leftover,
  maker: Traces,
  looker: Traces,
  since: number,
): boolean {
  const made = maker.made.get(id) ?? -Infinity;
  if (made < since) return false;
  if (key.includes('/log/')) return made >= (looker.claimed ?? Infinity);
  const looks = [...(what === 'upload' ? looker.listedUploads : looker.listed)];
  const last = looks.flatMap(([prefix, at]) => (key.startsWith(prefix) ? at : []));
  return last.length > 0 && made >= Math.max(...last);
}

/** Data objects may have entropy in their keys. */
function plainOf(key: string): string {
  return /\bcheckpoints\/.*$/.exec(key)?.[0] ?? key;
}
