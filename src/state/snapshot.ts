import type { Json } from '../flow/index.js';
import { StateError } from './errors.js';
import type { SegmentSchema } from './segmentFormat.js';
import type { SegmentRef } from './segmentReader.js';
import { numbered, type StateSpecs } from './state.js';

/** What an operator's part of a manifest says: its segments, from old to young. */
export interface StateSnapshot {
  readonly version: 1;
  readonly maxParallelism: number;
  readonly segments: readonly SegmentRef[];
}

export function snapshotJson(snapshot: StateSnapshot): Json {
  const { version, maxParallelism, segments } = snapshot;
  return {
    version,
    maxParallelism,
    segments: segments.map(({ object, bytes, entries, crc }) => ({ object, bytes, entries, crc })),
  };
}

/** Errors: `StateSchemaMismatch`. */
export function parseSnapshot(operator: string, json: Json, maxParallelism: number): StateSnapshot {
  const snapshot = json as unknown as Partial<StateSnapshot> | null;
  if (typeof snapshot !== 'object' || snapshot?.version !== 1 || !Array.isArray(snapshot.segments)) {
    throw mismatch(
      operator,
      'its part of the checkpoint is not keyed state that this millrace can read. Was another kind of operator under this id, or a later version at work?',
    );
  }
  if (snapshot.maxParallelism !== maxParallelism) {
    throw mismatch(
      operator,
      `it was written for ${snapshot.maxParallelism} key groups and is declared for ${maxParallelism}. The number cannot change.`,
    );
  }
  return snapshot as StateSnapshot;
}

/** From the states of a stored schema to those declared, by index. Errors: `StateSchemaMismatch`. */
export function resolveStates(
  operator: string,
  stored: SegmentSchema,
  declared: StateSpecs,
): readonly number[] {
  const names = numbered(declared).map(([name]) => name);
  return stored.states.map(({ name, kind, serializer }) => {
    const spec = declared[name];
    if (spec === undefined) {
      throw mismatch(
        operator,
        `state ${name} is in the checkpoint but no longer declared. Declare it again.`,
      );
    }
    if (spec.kind !== kind) {
      throw mismatch(
        operator,
        `state ${name} is stored as ${kind} state and declared as ${spec.kind} state. Use another name for the new one.`,
      );
    }
    if (spec.serializer.id !== serializer.id) {
      throw mismatch(
        operator,
        `state ${name} was written by serializer ${serializer.id} and is declared with ${spec.serializer.id}. Let one serializer, under one id, read both, and raise its version.`,
      );
    }
    if (spec.serializer.version < serializer.version) {
      throw mismatch(
        operator,
        `state ${name} was written by version ${serializer.version} of serializer ${serializer.id}, which has version ${spec.serializer.version} here. Run the later code.`,
      );
    }
    return names.indexOf(name);
  });
}

function mismatch(operator: string, what: string): StateError {
  return new StateError('StateSchemaMismatch', `The state of operator ${operator} does not fit: ${what}`);
}
