import { crc32 } from 'node:zlib';
import type { Json } from '../../flow/index.js';
import { fields, isCount, isString, listOf, optional, tuple } from '../../shape.js';
import { largestTail, tailLength, type Tail } from '../../store/multipart/index.js';

export const isTail = fields({
  ranges: listOf(tuple(isCount, isCount, isCount, isString)),
  inline: optional(isString),
  crc: optional(isCount),
});

/** A tail in a manifest: journals by their index in the objects of its committable, inline bytes as base64. */
export interface StoredTail {
  readonly ranges: readonly (readonly [journal: number, offset: number, length: number, sha256: string])[];
  readonly inline?: string;
  /** CRC-32 of the inline bytes. */
  readonly crc?: number;
}

export function encodeTail({ ranges, inline }: Tail, objects: readonly string[]): Json {
  return {
    ranges: ranges.map(({ journal, offset, length, sha256 }) => [
      objects.indexOf(journal),
      offset,
      length,
      sha256,
    ]),
    ...(inline !== undefined && { inline: inline.toString('base64'), crc: crc32(inline) }),
  };
}

export function decodeTail(
  { ranges, inline, crc }: StoredTail,
  objects: readonly string[],
  bad: (why: string) => Error,
): Tail {
  const bytes = inline === undefined ? undefined : Buffer.from(inline, 'base64');
  if (bytes !== undefined && crc32(bytes) !== crc) throw bad('the checksum of its inline tail is wrong');
  const tail: Tail = {
    ranges: ranges.map(([index, offset, length, sha256]) => {
      const journal = objects[index];
      if (journal === undefined) throw bad('its tail is in a journal that is not among its objects');
      return { journal, offset, length, sha256 };
    }),
    inline: bytes,
  };
  if (tailLength(tail) > largestTail) throw bad('its tail is longer than a part');
  return tail;
}
