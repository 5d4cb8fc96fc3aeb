import type { StoredKey } from './keys.js';

/**
 * Key groups: the unit in which state is distributed over processes. A key's group depends only on the key and never
 * changes, so rescaling means reading other ranges of the same segments.
 *
 * The formulas are Apache Flink's (`KeyGroupRangeAssignment`, `MathUtils.murmurHash`), with the same 32-bit hashes:
 *
 * | key | hash |
 * |---|---|
 * | string | Java's `String.hashCode` over UTF-16 code units |
 * | integer that fits 32 bits | `Integer.hashCode` |
 * | other safe integers, `bigint` that fits 64 bits | `Long.hashCode` |
 * | other numbers | `Double.hashCode` |
 * | boolean | `Boolean.hashCode` |
 * | `null` | 0 |
 * | everything else | `Arrays.hashCode` of the canonical encoding's bytes (ours: Flink has no such keys) |
 */
export const defaultMaxParallelism = 128;

/** A contiguous range of key groups, both ends inclusive. */
export interface KeyGroupRange {
  readonly first: number;
  readonly last: number;
}

export const allKeyGroups: KeyGroupRange = { first: 0, last: defaultMaxParallelism - 1 };

export const isSameRange = (a: KeyGroupRange, b: KeyGroupRange): boolean =>
  a.first === b.first && a.last === b.last;

/** Undefined if the ranges have no group in common. */
export function intersection(a: KeyGroupRange, b: KeyGroupRange): KeyGroupRange | undefined {
  const first = Math.max(a.first, b.first);
  const last = Math.min(a.last, b.last);
  return first <= last ? { first, last } : undefined;
}

export const rangeText = ({ first, last }: KeyGroupRange): string =>
  first === last ? `key group ${first}` : `key groups ${first} to ${last}`;

/** The group of a key by its {@link hashOf}, from 0 to `maxParallelism` - 1. */
export function keyGroupOf(hash: number, maxParallelism: number): number {
  return murmur(hash) % maxParallelism;
}

/**
 * The default for `parallelism` processes: 1.5 times as many, rounded up to a power of two between 128 and 32,768.
 */
export function maxParallelismFor(parallelism: number): number {
  const wanted = parallelism + Math.trunc(parallelism / 2);
  return Math.min(Math.max(2 ** Math.ceil(Math.log2(wanted)), 128), 32_768);
}

/** The key groups of process `index` of `parallelism`. */
export function keyGroupRange(index: number, parallelism: number, maxParallelism: number): KeyGroupRange {
  return {
    first: Math.ceil((index * maxParallelism) / parallelism),
    last: Math.floor(((index + 1) * maxParallelism - 1) / parallelism),
  };
}

/** MurmurHash3 of one 32-bit block, made non-negative as in Flink. */
function murmur(code: number): number {
  let h = Math.imul(code, 0xcc9e2d51);
  h = (h << 15) | (h >>> 17);
  h = Math.imul(h, 0x1b873593);
  h = (h << 13) | (h >>> 19);
  h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  h ^= 4;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h === -0x8000_0000 ? 0 : Math.abs(h);
}

/** The signed 32-bit hash that a key's group is computed from. */
export function hashOf(key: StoredKey): number {
  switch (typeof key) {
    case 'string':
      return stringHash(key);
    case 'number':
      return numberHash(key);
    case 'bigint':
      return BigInt.asIntN(64, key) === key ? longHash(key) : stringHash(key.toString());
    case 'boolean':
      return key ? 1231 : 1237;
    default:
      return key === null ? 0 : bytesHash(key.bytes);
  }
}

function stringHash(text: string): number {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0;
  return h;
}

const scratch = new DataView(new ArrayBuffer(8));

function numberHash(n: number): number {
  if ((n | 0) === n) return n | 0;
  if (Number.isSafeInteger(n)) return longHash(BigInt(n));
  // All NaNs have the bits of the encoded one.
  if (Number.isNaN(n)) return 0x7ff8_0000;
  scratch.setFloat64(0, n);
  return scratch.getInt32(0) ^ scratch.getInt32(4);
}

function longHash(n: bigint): number {
  return Number(BigInt.asIntN(32, n ^ (n >> 32n)));
}

function bytesHash(bytes: Uint8Array): number {
  let h = 1;
  for (const byte of bytes) h = (Math.imul(h, 31) + ((byte << 24) >> 24)) | 0;
  return h;
}
