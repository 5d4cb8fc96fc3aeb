import type { CellContent, CellPath, Operand } from './cells.js';
import type { StoredKey } from './keys.js';
import type { Serializer } from './serializer.js';

/**
 * What the backend and the operator know of a state, whatever its kind. A kind of state is one file, which exports a function
 * that makes a {@link StateSpec}; nothing else knows of it.
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
  /** The cells that changed since the last freeze. O(1), whatever changed. */
  freeze(): FrozenCells;
  /**
   * Takes over a cell of a segment. Segments come from old to young: a value or tombstone replaces what came before at its
   * address, an operand is applied to it. `version` is the serializer's that wrote it.
   */
  load(key: StoredKey, path: CellPath, content: CellContent, version: number): void;
  /** What a segment of today holds for what one of `version` held. Tombstones are never converted. */
  convert(content: CellContent, version: number): CellContent;
  /**
   * `older` with `operand` applied to it, as one content, both as segments hold them. `older` is a value, another
   * operand, or {@link absent}. Needed by kinds that write operands.
   */
  fold?(older: CellContent, operand: Operand): CellContent;
}

/**
 * The cells of one state that one freeze took. Nothing that users do afterwards changes them. They are stored, or given back,
 * in the order of the freezes.
 */
export interface FrozenCells {
  readonly size: number;
  key(cell: number): StoredKey;
  path(cell: number): CellPath;
  /** The content, in the state's own form. */
  read(cell: number): unknown;
  /** What a segment holds for what {@link read} gave: an operand, a tombstone, `Encoded`, or a value that MessagePack can write as it stands. Errors: `UnsupportedValue`. */
  encode(content: unknown, key: StoredKey): CellContent;
  /** All of it has been read, and is in a segment. */
  stored(): void;
  /** It is in no segment: its cells go **under** whatever was written since, into the next freeze. */
  giveBack(): void;
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
