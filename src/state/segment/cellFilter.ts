import type { CellPath } from '../cells.js';

/**
 * Bloom filters, which rule out blocks without reading them. With ten bits per cell, about 1 % of the positive
 * answers for absent cells are wrong. A negative answer is never wrong.
 */
const bitsPerCell = 10;
const probes = 6;

/** Bytes of a filter for `cells` cells. */
export function filterLength(cells: number): number {
  return Math.ceil((cells * bitsPerCell) / 8);
}

/** The hash of a cell for filters. `keyHash` is the hash of its key. */
export function cellHash(keyHash: number, state: number, { namespace, subKey }: CellPath): number {
  let h = Math.imul(keyHash ^ Math.imul(state, 0x9e3779b1), 0x85ebca6b);
  for (const byte of namespace) h = Math.imul(h ^ byte, 0x01000193);
  h ^= namespace.length;
  for (const byte of subKey) h = Math.imul(h ^ byte, 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The filter of the first `count` hashes. */
export function filterOf(hashes: Uint32Array, count: number): Uint8Array {
  const filter = new Uint8Array(filterLength(count));
  const bits = filter.length * 8;
  for (let i = 0; i < count; i++) {
    let h = hashes[i] ?? 0;
    const step = Math.imul(h, 0x9e3779b1) >>> 0;
    for (let probe = 0; probe < probes; probe++) {
      const bit = h % bits;
      filter[bit >>> 3] = (filter[bit >>> 3] ?? 0) | (1 << (bit & 7));
      h = (h + step) >>> 0;
    }
  }
  return filter;
}

/** Whether the filter may contain this hash. */
export function mayHold(filter: Uint8Array, hash: number): boolean {
  const bits = filter.length * 8;
  if (bits === 0) return false;
  const step = Math.imul(hash, 0x9e3779b1) >>> 0;
  let h = hash;
  for (let probe = 0; probe < probes; probe++) {
    const bit = h % bits;
    if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
    h = (h + step) >>> 0;
  }
  return true;
}
