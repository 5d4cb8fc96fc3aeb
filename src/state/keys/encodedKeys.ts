// Results are checked against bounds; checks at each index would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import { hashOf } from './keyGroups.js';
import { KeyReader, Tag } from './keys.js';

/**
 * Functions of encoded keys. Millions of keys pass through a merge without being used; decoding each would allocate a
 * string.
 */

/** Where the key at `start` ends. Throws `RangeError` if there is no complete key. */
export function keyEnd(bytes: Uint8Array, start: number): number {
  const end = endOf(bytes, start);
  if (end > bytes.length) throw new RangeError('a key is cut off');
  return end;
}

function endOf(bytes: Uint8Array, start: number): number {
  const tag = bytes[start];
  switch (tag) {
    case Tag.Null:
    case Tag.False:
    case Tag.True:
      return start + 1;
    case Tag.Number:
    case Tag.Date:
      return start + 9;
    case Tag.BigInt:
    case Tag.Utf8:
    case Tag.Utf16:
      return afterCount(bytes, start + 1) + countAt(bytes, start + 1);
    case Tag.Array:
    case Tag.Object: {
      let end = afterCount(bytes, start + 1);
      for (let n = countAt(bytes, start + 1) * (tag === Tag.Object ? 2 : 1); n > 0; n--)
        end = keyEnd(bytes, end);
      return end;
    }
    default:
      throw new RangeError(`no key starts with byte ${tag}`);
  }
}

/** {@link hashOf} for the encoded key from `start` to `end`. */
export function hashOfEncoded(bytes: Buffer, start: number, end: number): number {
  const tag = bytes[start];
  if (tag === Tag.Number) return hashOf(bytes.readDoubleBE(start + 1));
  if (tag === Tag.Utf8) {
    let hash = 0;
    let at = afterCount(bytes, start + 1);
    // In ASCII, the usual case, bytes are code units.
    for (; at < end && bytes[at]! < 128; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
    if (at === end) return hash;
  }
  return hashOf(new KeyReader(bytes.subarray(start, end)).key());
}

/** Compares bytes: the order of `compareKeys`. */
export function compareEncoded(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const common = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < common; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** Compares parts of a path. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return compareEncoded(a, 0, a.length, b, 0, b.length);
}

/** The unsigned LEB128 number at `start`. The caller checks bounds: malformed bytes give a meaningless number. */
export function countAt(bytes: Uint8Array, start: number): number {
  let count = 0;
  for (let at = start, scale = 1; at < bytes.length; at++, scale *= 128) {
    count += (bytes[at]! & 127) * scale;
    if (bytes[at]! < 128) break;
  }
  return count;
}

/** Where the LEB128 number at `start` ends. */
export function afterCount(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at]! >= 128) at++;
  return at + 1;
}
