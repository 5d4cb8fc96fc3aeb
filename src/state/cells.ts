import { compareBytes } from './encodedKeys.js';

/**
 * Cells: what segments are made of. A cell's **address** is (key group, key hash, key, state, namespace, sub-key); its
 * **content** is one of three:
 *
 * - a value, which hides everything older at its address;
 * - {@link absent}, a tombstone, which does the same and holds nothing;
 * - an {@link Operand}, which is applied to whatever is older at its address.
 *
 * A kind of state decides which cells it has: a value is one cell of its key, a map has a cell for each entry, and a list may
 * append by operands.
 */
export type CellContent = unknown;

/** "No value": a tombstone. */
export class Absent {
  declare protected readonly brand: never;
}
export const absent = new Absent();

/** A change to what older segments hold at the same address. `value` is what a segment can hold. */
export class Operand {
  constructor(readonly value: unknown) {}
}

/** The part of an address below the state. Cells are sorted by its bytes, namespace first. */
export interface CellPath {
  readonly namespace: Uint8Array;
  readonly subKey: Uint8Array;
}

/** Of a cell that is the only one of its key and state. */
export const noPath: CellPath = { namespace: new Uint8Array(0), subKey: new Uint8Array(0) };

export function comparePaths(a: CellPath, b: CellPath): number {
  if (a === b) return 0;
  return compareBytes(a.namespace, b.namespace) || compareBytes(a.subKey, b.subKey);
}
