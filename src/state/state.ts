import type { CellContent, CellPath, Operand } from './cells.js';
import type { Key, StoredKey } from './keys/keys.js';
import type { Serializer } from './values/serializer.js';

/**
 * The declaration of a state, which the backend and the operator use independent of its kind. A kind is one file,
 * which exports a function that creates a {@link StateSpec}.
 */
export interface StateSpec<H> {
  /** Recorded in segments: stored state of another kind is rejected. */
  readonly kind: string;
  readonly serializer: Pick<Serializer<never>, 'id' | 'version'>;
  /** Recorded in segments: if both types are known, stored state of another type is rejected. */
  readonly type?: string | undefined;
  /** The name under which earlier checkpoints have the state. */
  readonly formerly?: string | undefined;
  /** A key and namespace have at most one cell, without a sub-key. */
  readonly singleCell?: true;
  /** Creates the live state of one attempt. */
  open(name: string, home?: StateHome): LiveState<H>;
  /** What the handle holds as plain data, for readers from outside; `undefined` if it holds nothing. */
  contents(handle: H): unknown;
}

/** The operator that a state belongs to. */
export interface StateHome {
  readonly operator: string;
  /** Whether to reject a value that cannot be stored when it is set, never later. */
  readonly early: boolean;
  /** Milliseconds since the epoch. Event time: that of the last watermark, at first `-Infinity`. */
  readonly now: (time: TimerTime) => number;
  /** The time that the oldest checkpoint still to come will restore at the earliest. */
  readonly settled: (time: TimerTime) => number;
}

/** Removes expired entries from memory. */
export interface Sweeper {
  /** Looks at a few entries. */
  step(): void;
}

/** One state of one operator in one attempt. */
export interface LiveState<H> {
  /** Passed to user code; the same object for every record. */
  readonly handle: H;
  /** Cells in memory. */
  readonly size: number;
  /** Points the handle at the key of a record, until {@link leave}. */
  at(key: StoredKey): void;
  /** The record's turn is over: using the handle throws. */
  leave(): void;
  /** Logs changes of this turn, so that {@link undo} can revert them until {@link forget}. */
  remember(): void;
  undo(): void;
  forget(): void;
  /** Takes the cells that changed since the last freeze. O(1). */
  freeze(): FrozenCells;
  /**
   * Loads a cell of a segment. Segments are loaded oldest first: a value or tombstone replaces what was loaded at its
   * address, an operand is applied to it. `version` is that of the serializer that wrote it.
   */
  load(key: StoredKey, path: CellPath, content: CellContent, version: number): void;
  /** Converts a content written by `version` of the serializer to the current version. Not called for tombstones. */
  convert(content: CellContent, version: number): CellContent;
  /**
   * Applies `operand` to `older`, which is a value, another operand, or {@link absent}. All are in the form that
   * segments hold. Required for kinds that write operands.
   */
  fold?(older: CellContent, operand: Operand): CellContent;
  /** For states with a TTL: what is left of a value, in the form of segments, that nothing older is under. */
  unexpired?(content: CellContent): CellContent;
  /** For states with a TTL: removes what has expired from memory, a little before each turn. */
  sweeper?(): Sweeper | undefined;
  /** For kinds that hold timers. */
  readonly timers?: TimerQueue;
}

/** The timers of one state, which the operator fires. */
export interface TimerQueue {
  readonly time: TimerTime;
  /** The time of the earliest timer; `Infinity` if there is none. */
  readonly next: number;
  /** The time of the latest timer; `-Infinity` if there is none. O(number of timers). */
  readonly last: number;
  /** Removes the earliest timer, and returns it. Only if there is one. */
  take(): DueTimer;
}

export interface DueTimer {
  readonly key: StoredKey;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly namespace: Key | undefined;
}

/** The time that timers go by: that of watermarks, or that of the job's clock. */
export type TimerTime = 'event' | 'processing';

/**
 * The cells that one freeze took from one state. Later writes do not change them. They are stored or given back in
 * the order of the freezes.
 */
export interface FrozenCells {
  readonly size: number;
  key(cell: number): StoredKey;
  path(cell: number): CellPath;
  /** The content, in the state's in-memory form. */
  read(cell: number): unknown;
  /**
   * Converts a result of {@link read} to the form of segments: an operand, a tombstone, `Encoded`, or a value that
   * MessagePack writes unchanged. Errors: `UnsupportedValue`.
   */
  encode(content: unknown, key: StoredKey, path: CellPath): CellContent;
  /** All cells have been read and stored in a segment. */
  stored(): void;
  /**
   * After {@link stored}: takes up to `most` cleared cells, and removes those from memory that have not been set again.
   * Returns how many it took.
   */
  removeCleared(most: number): number;
  /**
   * The cells were not stored: up to `most` of them go **under** newer writes, into the next freeze. Returns how many; if
   * fewer than `most`, these were the last, and it must not be called again.
   */
  giveBack(most: number): number;
}

/** The states of an operator, by name. */
export type StateSpecs = Readonly<Record<string, StateSpec<unknown>>>;

/** The handles passed to `onRecord` for the states of an operator. */
export type Handles<S> = { readonly [N in keyof S]: S[N] extends StateSpec<infer H> ? H : never };
