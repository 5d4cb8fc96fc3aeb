import { compareBytes } from './keys/encodedKeys.js';

/**
 * Cells: what segments are made of. A cell's **address** is (key group, key hash, key, state, namespace, sub-key); its
 * **content** is one of three:
 *
 * - a value, which replaces everything older at its address;
 * - {@link absent}, a tombstone, which deletes everything older at its address;
 * - an {@link Operand}, which is applied to the older content at its address.
 *
 * A kind of state defines its cells: a value is one cell per key, a map has a cell per entry, and a list may append
 * with operands.
 */
export type CellContent = unknown;

/** The class of {@link absent}, the tombstone. */
export class Absent {
  declare protected readonly brand: never;
}
export const absent = new Absent();

/** A change to the older content at the same address. `value` is in the form that segments hold. */
export class Operand {
  constructor(readonly value: unknown) {}
}

/** The part of an address after the state. Cells are sorted by its bytes, namespace first. */
export interface CellPath {
  readonly namespace: Uint8Array;
  readonly subKey: Uint8Array;
}

/** The path of a cell that is the only one of its key and state. */
export const noPath: CellPath = { namespace: new Uint8Array(0), subKey: new Uint8Array(0) };

export function comparePaths(a: CellPath, b: CellPath): number {
  if (a === b) return 0;
  return compareBytes(a.namespace, b.namespace) || compareBytes(a.subKey, b.subKey);
}
