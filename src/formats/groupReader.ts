/**
 * The reading half of a format whose records are not in the order of its bytes: columns in row groups, with a footer that has
 * their places. A source reads ranges of such an object instead of all of it:
 *
 * 1. `wants` names the ranges that the decoder needs next: first the footer, then the columns of a group that are read.
 * 2. The source fetches them, all in the version that was listed, and passes them to `take`, which decodes them.
 * 3. `decode` passes on some records of the group at a time, so that barriers get their turn. `state` is then the group and
 *    the record in it. A restored source fetches the footer and that group again, and no earlier one.
 * 4. When the group is used up, `wants` names the ranges of the next one. If it names none, the object is read. A decoder that
 *    knows them earlier names them by `ahead`, and the source fetches them meanwhile, if it has memory for them.
 *
 * A group is in memory as a whole. The decoder limits its size.
 */
import type { Json } from '../flow/index.js';
import type { ByteRange } from '../store/objectStore.js';
import type { Malformed, ObjectStart, Reader } from './reader.js';

/** Decodes objects group by group. */
export interface GroupReader<T> {
  /** Names the format in positions and messages: `parquet`. */
  readonly name: string;
  /** Opens a decoder for one object. */
  groups(start: GroupStart): GroupDecoder<T>;
  /** Whether `state` is valid for its decoders. */
  isState(state: unknown): boolean;
}

/** Where a decoder of groups starts. */
export interface GroupStart extends ObjectStart {
  /** Bytes of the object. */
  readonly size: number;
}

/** Bytes `start` to `end`, end exclusive. */
export type GroupRange = Required<ByteRange>;

/** Decodes one object, once. */
export interface GroupDecoder<T> {
  /** The ranges that it needs next, in ascending order; none after the last group. Called when `left` is 0. */
  wants(): readonly GroupRange[];
  /**
   * The ranges that the next `wants` will return, while a group is in memory; none if they are unknown, or if `wants` will throw.
   * Default: nothing is fetched ahead.
   */
  ahead?(): readonly GroupRange[];
  /** Takes the bytes of the ranges that it wants, which are then its own. Errors end the source: use a `MillraceError`. */
  take(parts: readonly Uint8Array[]): Promise<void> | void;
  /** Records of the group that are not decoded yet. */
  readonly left: number;
  /** The approximate bytes of one of them. At least 1. */
  readonly recordBytes: number;
  /** Passes the next record to `on`, or to `malformed`. */
  decode(on: (record: T) => void, malformed: (bad: Malformed) => void): void;
  /** The offset of the current group in the object; 0 at the start of the first one. */
  readonly offset: number;
  /** Records before the next one, in the whole object. */
  readonly records: number;
  /** Approximate bytes of memory. */
  readonly held: number;
  /** The state for a decoder that starts at the next record. */
  state(): Json;
}

/** Whether a format reads groups. */
export const readsGroups = <T>(format: Reader<T> | GroupReader<T>): format is GroupReader<T> =>
  typeof (format as Partial<GroupReader<T>>).groups === 'function';
