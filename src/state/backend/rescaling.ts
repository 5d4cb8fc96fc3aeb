import type { Json } from '../../flow/index.js';
import { defaultMaxParallelism, type KeyGroupRange } from '../keys/keyGroups.js';
import { parseSnapshot, runsOf, snapshotJson } from './snapshot.js';
import { mergedIds } from './stateIds.js';

/** The part of an operator's state that is in a range of key groups. */
export interface StatePart {
  readonly snapshot: Json;
  /** The data objects that it refers to. */
  readonly objects: readonly string[];
}

/**
 * The state of `keyGroups` out of snapshots of an operator that together have each of these groups once. It refers to
 * the same segments, but not to those that have only other groups. Reads and writes nothing. Errors:
 * `StateSchemaMismatch`.
 */
export function partOfState(
  operator: string,
  snapshots: readonly Json[],
  keyGroups: KeyGroupRange,
): StatePart {
  const parsed = snapshots.map((json) => parseSnapshot(operator, json, defaultMaxParallelism));
  const runs = runsOf(operator, parsed, keyGroups);
  const states = mergedIds(
    operator,
    parsed.map((each) => each.states),
  );
  return {
    snapshot: snapshotJson({ maxParallelism: defaultMaxParallelism, keyGroups, states, runs }),
    objects: [...new Set(runs.flatMap(({ segments }) => segments.map(({ object }) => object)))],
  };
}
