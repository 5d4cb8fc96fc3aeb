import type { StoredKey } from './keys.js';
import type { Serializer } from './serializer.js';
import type { Table } from './table.js';

/**
 * What the backend and the operator know of a state, whatever its kind. A new kind of state is a file that
 * makes a {@link StateSpec}.
 */
export interface StateSpec<H> {
  /** Goes into segments: state of another kind is refused. */
  readonly kind: string;
  readonly serializer: Pick<Serializer<never>, 'id' | 'version'>;
  /** Goes into segments, too: where both are known, state of another type is refused. */
  readonly type?: string | undefined;
  /** One attempt's live state under this name. */
  open(name: string, home?: StateHome): LiveState<H>;
}

/** What a state knows of the operator it belongs to. */
export interface StateHome {
  readonly operator: string;
  /** A value that cannot be stored is to be refused when it is set, never later. */
  readonly early: boolean;
}

/** One state of one operator in one attempt. */
export interface LiveState<H> {
  /** What user code gets; the same object for every record. */
  readonly handle: H;
  /** Turns the handle to the key of a record, until {@link leave}. */
  at(key: StoredKey): void;
  /** The record's turn is over: the handle refuses to work. */
  leave(): void;
  /** What the key holds now can be brought back by {@link undo}, until {@link leave}. */
  remember(): void;
  undo(): void;
  readonly table: Table<unknown>;
  /** What a segment holds for a content: `Encoded`, or a value that MessagePack can write as it stands. Errors: `UnsupportedValue`. */
  dump(content: unknown, key?: StoredKey): unknown;
  /** Takes over what a segment holds for a key, `absent` included; `version` is the serializer's that wrote it. */
  restore(key: StoredKey, stored: unknown, version: number): void;
  /** What a segment of today holds for what one of `version` held. */
  convert(stored: unknown, version: number): unknown;
}

/** The states of an operator, by name. */
export type StateSpecs = Readonly<Record<string, StateSpec<unknown>>>;

/**
 * The states by number, as segments know them: in the order of their names. Merges rely on it that two segments have the
 * states of a key in one order, also when the order of the declaration has changed between them.
 */
export function numbered(states: StateSpecs): readonly (readonly [name: string, spec: StateSpec<unknown>])[] {
  return Object.entries(states).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The handles that `onRecord` gets for the states of an operator. */
export type Handles<S> = { readonly [N in keyof S]: S[N] extends StateSpec<infer H> ? H : never };
