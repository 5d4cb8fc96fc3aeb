/**
 * Where a job's data objects (segments and journals) are stored. Manifests hold their names, which are relative:
 *
 *     data/<epoch>/<operator>-<counter><suffix>              below the place's prefix
 *     data/<epoch>/<entropy>/<operator>-<counter><suffix>    with the entropy inserted into the prefix
 *     data/0000000000/<job id>/…                             below the prefix: of the savepoint that the log began with
 *
 * The prefix depends only on the job's configuration: a manifest names objects, never their place.
 *
 * Servers distribute load by key prefix. With entropy, the key of every data object contains one of 16 values near its
 * start. They are drawn once per log and recorded in its first claim, so 17 listings find the objects of dead attempts. Keys of manifests, and of everything else that people look up, contain no entropy.
 *
 * A log keeps its initial entropy, which keeps the names in older entries valid.
 */
import { ForeignName } from '../flow/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { CheckpointData } from '../store/services.js';

export interface DataPlace {
  /** A key prefix with a trailing slash, without entropy. */
  readonly prefix: string;
  readonly entropy?: Entropy | undefined;
}

/** Where entropy is inserted into a prefix. */
export interface EntropyMark {
  /** Offset in the prefix, in UTF-16 units. */
  readonly at: number;
  /** Whether it is a whole path segment, followed by a slash. */
  readonly name: boolean;
}

/** As recorded in manifests. */
export interface Entropy extends EntropyMark {
  readonly values: readonly string[];
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** For a new log. */
export function drawEntropy(
  { at, name, length }: EntropyMark & { readonly length: number },
  random: () => number,
): Entropy {
  const character = (): string => alphabet.charAt(Math.floor(random() * alphabet.length));
  const value = (): string => Array.from({ length }, character).join('');
  return { at, name, values: Array.from({ length: 16 }, value) };
}

/** The prefixes before the names of data objects: the plain one, and one for each value of entropy. */
export function rootsOf({ prefix, entropy }: DataPlace): readonly string[] {
  if (entropy === undefined) return [prefix];
  return [...new Set([prefix, ...entropy.values.map((value) => inserted(prefix, entropy, value))])];
}

/** Whether it is the name of a data object: below `data/`, without segments `.` and `..`. */
export function isDataName(name: string): boolean {
  return /^data(?:\/(?!\.{1,2}(?:\/|$))[^/\u0000-\u001f]+)+$/.test(name);
}

/** The epoch in a data object's name; infinite for a foreign name. */
export function epochOf(name: string): number {
  const match = /^data\/(\d{10})\//.exec(name);
  return match === null ? Infinity : Number(match[1]);
}

/** The key of a data object. Errors: `ForeignName`. */
export function dataKey({ prefix, entropy }: DataPlace, name: string): string {
  if (!isDataName(name)) throw noDataName(`A checkpoint below ${prefix}`, name);
  const value = /^data\/(?!0{10}\/)\d{10}\/([^/]+)\//.exec(name)?.[1];
  const spread = entropy !== undefined && value !== undefined && entropy.values.includes(value);
  return (spread ? inserted(prefix, entropy, value) : prefix) + name;
}

export function noDataName(where: string, name: string): ForeignName {
  return new ForeignName(
    where,
    name,
    "not a data object in the job's own folder",
    'Name data objects by CheckpointData.name; a folder that was moved keeps the layout below it.',
  );
}

/** Names the data objects of one attempt: no two verified attempts share an epoch. */
export function dataNames(
  store: ObjectStore,
  place: DataPlace,
  epoch: number,
  random: () => number,
): CheckpointData {
  let counter = 0;
  const { entropy } = place;
  const spread = (): string =>
    entropy === undefined ? '' : `${entropy.values[Math.floor(random() * entropy.values.length)] ?? ''}/`;
  return {
    store,
    key: (name) => dataKey(place, name),
    name: (operator, suffix) =>
      `data/${String(epoch).padStart(10, '0')}/${spread()}${encodeURIComponent(operator)}-${++counter}${suffix}`,
  };
}

function inserted(prefix: string, { at, name }: EntropyMark, value: string): string {
  return prefix.slice(0, at) + value + (name ? '/' : '') + prefix.slice(at);
}
