import type { Json } from '../../flow/index.js';
import { fields, isCount, isString, listOf, oneOf, optional, tuple } from '../../shape.js';
import type { StateError } from '../errors.js';
import { intersection, rangeText, type KeyGroupRange } from '../keys/keyGroups.js';
import { mismatch } from './mismatches.js';
import type { SegmentRef } from '../segment/segmentObject.js';
import type { StateId } from './stateIds.js';

/** An operator's part of a manifest. */
export interface StateSnapshot {
  readonly kind: typeof kind;
  readonly version: typeof version;
  readonly maxParallelism: number;
  /** The key groups whose state this is. */
  readonly keyGroups: KeyGroupRange;
  readonly states: readonly StateId[];
  /** Oldest first. */
  readonly runs: readonly Run[];
  /** The time of the last watermark, in milliseconds since the epoch; undefined if there was none. */
  readonly eventTime?: number | undefined;
}

/**
 * The segments of one freeze or one merge, in the order of addresses. No two have a cell of the same address. After
 * rescaling, segments may have cells outside the range; they are not part of the run.
 */
export interface Run {
  readonly keyGroups: KeyGroupRange;
  readonly segments: readonly SegmentRef[];
}

const kind = 'keyed-state';
const version = 3;

export function snapshotJson({
  maxParallelism,
  keyGroups,
  states,
  runs,
  eventTime,
}: Omit<StateSnapshot, 'kind' | 'version'>): Json {
  return {
    kind,
    version,
    maxParallelism,
    keyGroups: rangeJson(keyGroups),
    ...(eventTime === undefined ? {} : { eventTime }),
    states: states.map(({ id, name }) => (name === undefined ? { id } : { id, name })),
    runs: runs.map((run) => ({
      keyGroups: rangeJson(run.keyGroups),
      segments: run.segments.map(({ object, bytes, cells, crc, sha256, first }) => ({
        object,
        bytes,
        cells,
        crc,
        ...(sha256 === undefined ? {} : { sha256 }),
        ...(first === undefined ? {} : { first }),
      })),
    })),
  };
}

const rangeJson = ({ first, last }: KeyGroupRange): Json => ({ first, last });

const isSnapshot = fields({
  kind: oneOf(kind),
  version: (value) => value === version,
  maxParallelism: isCount,
  runs: Array.isArray,
  eventTime: optional(Number.isFinite),
});

const isRange = fields({ first: isCount, last: isCount });

const isSegmentRef = fields({
  object: isString,
  bytes: isCount,
  cells: isCount,
  crc: isCount,
  sha256: optional(isString),
  first: optional(tuple(isCount, Number.isSafeInteger)),
});

const isStates = listOf(fields({ id: isString, name: optional(isString) }));
const isRuns = listOf(fields({ keyGroups: isRange, segments: listOf(isSegmentRef) }));

/** Whether an operator's part of a manifest is keyed state, of any version. */
export const isKeyedState = fields({ kind: oneOf(kind) });

/**
 * Errors: `StateSchemaMismatch`.
 *
 * @param maxParallelism as declared; by default, any
 */
export function parseSnapshot(operator: string, json: Json, maxParallelism?: number): StateSnapshot {
  const snapshot = json as unknown as StateSnapshot;
  if (!isSnapshot(snapshot)) {
    throw mismatch(
      operator,
      'its part of the checkpoint is not keyed state that this millrace can read. Was another kind of operator under this id, or a later version at work?',
    );
  }
  if (maxParallelism !== undefined && snapshot.maxParallelism !== maxParallelism) {
    throw mismatch(
      operator,
      `it was written for ${snapshot.maxParallelism} key groups and is declared for ${maxParallelism}. The number cannot change.`,
    );
  }
  if (!isRange(snapshot.keyGroups) || !isStates(snapshot.states) || !isRuns(snapshot.runs))
    throw mismatch(operator, 'its part of the checkpoint describes its segments in a way that is malformed.');
  return snapshot;
}

/** The event time that all snapshots with state of `keyGroups` have reached; `-Infinity` if one has none. */
export function eventTimeOf(snapshots: readonly StateSnapshot[], keyGroups: KeyGroupRange): number {
  const own = snapshots.filter((snapshot) => intersection(snapshot.keyGroups, keyGroups) !== undefined);
  return own.reduce((least, { eventTime = -Infinity }) => Math.min(least, eventTime), Infinity);
}

/**
 * The runs in which snapshots have the state of `keyGroups`, each limited to it, oldest first. Errors:
 * `StateSchemaMismatch` unless each group is in exactly one snapshot.
 */
export function runsOf(
  operator: string,
  snapshots: readonly StateSnapshot[],
  keyGroups: KeyGroupRange,
): readonly Run[] {
  checkCover(operator, snapshots, keyGroups);
  const lists = snapshots.map((snapshot) =>
    snapshot.runs.flatMap((run) => {
      const own = intersection(run.keyGroups, snapshot.keyGroups);
      const range = own && intersection(own, keyGroups);
      if (range === undefined) return [];
      const segments = segmentsIn(run.segments, range);
      return segments.length === 0 ? [] : [{ keyGroups: range, segments }];
    }),
  );
  return interleaved(lists);
}

/** The segments of a run that may have cells of the range. They are in the order of addresses. */
function segmentsIn(segments: readonly SegmentRef[], { first, last }: KeyGroupRange): readonly SegmentRef[] {
  return segments.filter(
    (ref, i, { [i + 1]: next }) =>
      (ref.first === undefined || ref.first[0] <= last) &&
      (next?.first === undefined || next.first[0] >= first),
  );
}

function checkCover(operator: string, snapshots: readonly StateSnapshot[], keyGroups: KeyGroupRange): void {
  const missing = (range: KeyGroupRange): StateError =>
    mismatch(operator, `no checkpoint has ${rangeText(range)}. Restore those of all processes.`);
  const ranges = snapshots
    .flatMap((snapshot) => intersection(snapshot.keyGroups, keyGroups) ?? [])
    .sort((a, b) => a.first - b.first);
  let next = keyGroups.first;
  for (const { first, last } of ranges) {
    if (first > next) throw missing({ first: next, last: first - 1 });
    if (first < next)
      throw mismatch(
        operator,
        `two checkpoints have ${rangeText({ first, last: Math.min(last, next - 1) })}. Restore those of processes that ran together.`,
      );
    next = last + 1;
  }
  if (next <= keyGroups.last) throw missing({ first: next, last: keyGroups.last });
}

/**
 * Runs of different snapshots have no key group in common, so their order is free. The largest come first, as
 * compaction expects.
 */
function interleaved(lists: readonly (readonly Run[])[]): readonly Run[] {
  const left = lists.map((runs) => [...runs]).filter((runs) => runs.length > 0);
  const result: Run[] = [];
  while (left.length > 0) {
    const next = left.reduce((a, b) => (bytesOf(b[0]) > bytesOf(a[0]) ? b : a));
    result.push(...next.splice(0, 1));
    if (next.length === 0) left.splice(left.indexOf(next), 1);
  }
  return result;
}

/** The size of a run, in bytes. */
export const bytesOf = (run: Run | undefined): number =>
  (run?.segments ?? []).reduce((total, { bytes }) => total + bytes, 0);
