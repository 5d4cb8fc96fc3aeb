/**
 * Where a job's data objects (segments and journals) lie. Names are what manifests hold, and are relative:
 *
 *     data/<epoch>/<operator>-<counter><suffix>              below the place's prefix
 *     data/<epoch>/<entropy>/<operator>-<counter><suffix>    with the entropy inserted into the prefix
 *
 * The prefix follows from the job's configuration alone: no manifest can name a place, only what is in it.
 *
 * Servers spread their load by key prefixes. With entropy, one of 16 values, drawn once for a log and recorded in its
 * first claim, stands early in the key of every data object; so the objects of dead attempts are found by 16 listings.
 * Manifests, and whatever else a person looks up, have no entropy in their keys.
 *
 * A log keeps the entropy it began with: what older entries name must be found.
 */
import { ForeignName } from '../flow/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { CheckpointData } from '../store/services.js';

export interface DataPlace {
  /** A key prefix, with a trailing slash; where there is entropy, without it. */
  readonly prefix: string;
  readonly entropy?: Entropy | undefined;
}

/** Where entropy goes into a prefix. */
export interface EntropyMark {
  /** How many UTF-16 units of the prefix come before it. */
  readonly at: number;
  /** It is a name of its own, followed by a slash. */
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

/** The prefixes that data objects of a place start with, without their names. */
export function rootsOf({ prefix, entropy }: DataPlace): readonly string[] {
  if (entropy === undefined) return [prefix];
  return [...new Set(entropy.values)].map((value) => inserted(prefix, entropy, value));
}

/** Whether it is the name of a data object: below `data/`, and no way out of it for those who resolve dots. */
export function isDataName(name: string): boolean {
  return /^data(?:\/(?!\.{1,2}(?:\/|$))[^/\u0000-\u001f]+)+$/.test(name);
}

/** The epoch that a data object's name begins with; infinite for what we did not name. */
export function epochOf(name: string): number {
  const match = /^data\/(\d{10})\//.exec(name);
  return match === null ? Infinity : Number(match[1]);
}

/** The key of a data object. Errors: `ForeignName`, for what cannot be the name of one. */
export function dataKey({ prefix, entropy }: DataPlace, name: string): string {
  if (!isDataName(name)) throw noDataName(`A checkpoint below ${prefix}`, name);
  const value = /^data\/\d{10}\/([^/]+)\//.exec(name)?.[1];
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
