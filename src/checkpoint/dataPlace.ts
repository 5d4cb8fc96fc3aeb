/**
 * Where a job's data objects (segments and journals) lie. Names are what manifests hold, and are relative:
 *
 *     data/<epoch>/<operator>-<counter><suffix>              below the place's prefix
 *     data/<epoch>/<entropy>/<operator>-<counter><suffix>    with the entropy inserted into the prefix
 *
 * Servers spread their load by key prefixes. With entropy, one of 16 values, drawn once for a log and recorded in its
 * first claim, stands early in the key of every data object; so the objects of dead attempts are found by 16 listings.
 * Manifests, and whatever else a person looks up, have no entropy in their keys.
 *
 * A log keeps the place it began with: what older entries name must be found.
 */
import type { ObjectStore } from '../store/objectStore.js';
import type { CheckpointData } from '../store/services.js';

/** As recorded in manifests. */
export interface DataPlace {
  /** A key prefix, with a trailing slash; where there is entropy, without it. */
  readonly prefix: string;
  readonly entropy?: {
    /** How many UTF-16 units of the prefix come before it. */
    readonly at: number;
    /** It is a name of its own, with a slash behind it. */
    readonly name: boolean;
    readonly values: readonly string[];
  };
}

type Entropy = NonNullable<DataPlace['entropy']>;

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

function drawEntropy(length: number, random: () => number): string[] {
  const character = (): string => alphabet.charAt(Math.floor(random() * alphabet.length));
  return Array.from({ length: 16 }, () => Array.from({ length }, character).join(''));
}

/** The place of a new log below `prefix`, or with entropy in it. */
export function newPlace(
  prefix: string,
  entropy: { readonly at: number; readonly name: boolean; readonly length: number },
  random: () => number,
): DataPlace {
  const { at, name, length } = entropy;
  return { prefix, entropy: { at, name, values: drawEntropy(length, random) } };
}

/** The prefixes that data objects of a place start with, without their names. */
export function rootsOf({ prefix, entropy }: DataPlace): readonly string[] {
  if (entropy === undefined) return [prefix];
  return [...new Set(entropy.values)].map((value) => inserted(prefix, entropy, value));
}

/** The key of a data object. */
export function dataKey({ prefix, entropy }: DataPlace, name: string): string {
  const value = entropy === undefined ? undefined : /^data\/\d+\/([^/]+)\//.exec(name)?.[1];
  return (entropy === undefined || value === undefined ? prefix : inserted(prefix, entropy, value)) + name;
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

function inserted(prefix: string, { at, name }: Entropy, value: string): string {
  return prefix.slice(0, at) + value + (name ? '/' : '') + prefix.slice(at);
}
