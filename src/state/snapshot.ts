import type { Json } from '../flow/index.js';
import { fields, isCount, isString, listOf, oneOf, optional, tuple } from '../shape.js';
import { StateError } from './errors.js';
import type { StoredKey } from './keys.js';
import { keyText } from './refusals.js';
import { corrupt, type SegmentSchema, type StateSchema } from './segmentFormat.js';
import type { SegmentRef } from './segmentObject.js';
import { messagePack } from './serializer.js';
import { numbered, type StateSpecs } from './state.js';

/** An operator's part of a manifest: its runs of segments, oldest first. */
export interface StateSnapshot {
  readonly kind: typeof kind;
  readonly version: typeof version;
  readonly maxParallelism: number;
  /** Each run is in the order of addresses. */
  readonly runs: readonly Run[];
}

/** The segments of one freeze or one merge. No two have a cell of the same address. */
export type Run = readonly SegmentRef[];

const kind = 'keyed-state';
const version = 2;

export function snapshotJson(maxParallelism: number, runs: readonly Run[]): Json {
  return {
    kind,
    version,
    maxParallelism,
    runs: runs.map((run) =>
      run.map(({ object, bytes, cells, crc, sha256, first }) => ({
        object,
        bytes,
        cells,
        crc,
        ...(sha256 === undefined ? {} : { sha256 }),
        ...(first === undefined ? {} : { first }),
      })),
    ),
  };
}

const isSnapshot = fields({
  kind: oneOf(kind),
  version: (value) => value === version,
  maxParallelism: isCount,
  runs: Array.isArray,
});

const isSegmentRef = fields({
  object: isString,
  bytes: isCount,
  cells: isCount,
  crc: isCount,
  sha256: optional(isString),
  first: optional(tuple(isCount, Number.isSafeInteger)),
});

/** Errors: `StateSchemaMismatch`. */
export function parseSnapshot(operator: string, json: Json, maxParallelism: number): StateSnapshot {
  const snapshot = json as unknown as StateSnapshot;
  if (!isSnapshot(snapshot)) {
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
  if (!listOf(listOf(isSegmentRef))(snapshot.runs))
    throw mismatch(operator, 'its part of the checkpoint describes a segment that is malformed.');
  return snapshot;
}

/** Maps the state indices of a stored schema to the declared ones. Errors: `StateSchemaMismatch`. */
export function resolveStates(
  operator: string,
  stored: SegmentSchema,
  declared: StateSpecs,
): readonly number[] {
  const names = numbered(declared).map(([name]) => name);
  return stored.states.map(({ name, kind, serializer, type }) => {
    const spec = Object.hasOwn(declared, name) ? declared[name] : undefined;
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
        `state ${name} was written by serializer ${serializer.id} (version ${serializer.version}) and is declared with ${spec.serializer.id} (version ${spec.serializer.version}). Declare it with the serializer that wrote it, or use another name for the new one. To change the bytes, keep the id of a serializer and raise its version.`,
      );
    }
    if (spec.serializer.version < serializer.version) {
      throw mismatch(
        operator,
        `state ${name} was written by version ${serializer.version} of serializer ${serializer.id}, which has version ${spec.serializer.version} here. Run the later code.`,
      );
    }
    if (type !== undefined && spec.type !== undefined && spec.type !== type) {
      throw mismatch(
        operator,
        `state ${name} is stored as state that holds values of type ${type} and declared with an initial value of type ${spec.type}. Use another name for the new one; if it is to hold both, declare it with the initial value \`null\`.`,
      );
    }
    return names.indexOf(name);
  });
}

/** The error for a stored value that cannot be decoded. */
export function unreadable(
  operator: string,
  { name, serializer: { id, version } }: StateSchema,
  key: StoredKey,
  object: string,
  cause: unknown,
): unknown {
  if (cause instanceof StateError) return cause;
  if (id === messagePack.id) return corrupt(object, `a value of state ${name} cannot be decoded`, cause);
  return mismatch(
    operator,
    `serializer ${id} fails on what its version ${version} wrote for key ${keyText(key)} of state ${name}. Let it read what earlier code wrote: raise its version whenever the bytes change, and go by the version that \`decode\` is given.`,
    cause,
  );
}

function mismatch(operator: string, what: string, cause?: unknown): StateError {
  return new StateError(
    'StateSchemaMismatch',
    `The state of operator ${operator} does not fit: ${what}`,
    cause === undefined ? {} : { cause },
  );
}
