// Every index is checked by the bounds of what is returned; a check at each would be noise in the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import { hashOf } from './keyGroups.js';
import { KeyReader, Tag } from './keys.js';

/**
 * What can be known of a key from its encoding. Millions of keys pass through a merge that nobody will ever ask for, and each
 * would be a string to allocate and to collect.
 */

/** Where the key that starts at `start` ends. Throws `RangeError` on bytes that hold no whole key there. */
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

/** The {@link hashOf} of the key from `start` to `end`. */
export function hashOfEncoded(bytes: Buffer, start: number, end: number): number {
  const tag = bytes[start];
  if (tag === Tag.Number) return hashOf(bytes.readDoubleBE(start + 1));
  if (tag === Tag.Utf8) {
    let hash = 0;
    let at = afterCount(bytes, start + 1);
    // Of ASCII, the usual key, bytes are code units.
    for (; at < end && bytes[at]! < 128; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
    if (at === end) return hash;
  }
  return hashOf(new KeyReader(bytes.subarray(start, end)).key());
}

/** The order of `compareKeys`, which is that of bytes. */
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

/** The order of a path's parts. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return compareEncoded(a, 0, a.length, b, 0, b.length);
}

/** The unsigned LEB128 number at `start`. Bytes that hold no whole number there give one that is too large or cut off. */
export function countAt(bytes: Uint8Array, start: number): number {
  let count = 0;
  for (let at = start, scale = 1; at < bytes.length; at++, scale *= 128) {
    count += (bytes[at]! & 127) * scale;
    if (bytes[at]! < 128) break;
  }
  return count;
}

/** Where that number ends. */
export function afterCount(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at]! >= 128) at++;
  return at + 1;
}
