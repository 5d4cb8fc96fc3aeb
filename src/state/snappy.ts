import { uncompress } from 'snappyjs';

/** What the two low bits of a tag say. The fourth is a copy with an offset of four bytes. */
const Tag = { literal: 0, nearCopy: 1, farCopy: 2 } as const;

/**
 * Decompresses a raw Snappy block, as snappyjs does, whatever the bytes are: snappyjs follows a negative length backwards
 * for ever, and allocates what a block promises. So the tags are walked first, and must give the promised length.
 * A block expands to at most 22 times its size. Format: google/snappy, `format_description.txt`.
 *
 * Throws `RangeError`.
 */
export function decompress(block: Uint8Array): Buffer {
  let at = 0;
  const next = (): number => {
    const byte = block[at++];
    if (byte === undefined) throw new RangeError('a Snappy block ends too early');
    return byte;
  };
  /** Little-endian, unsigned. */
  const uint = (bytes: number): number => {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += next() * 2 ** (8 * i);
    return value;
  };

  let promised = 0;
  for (let shift = 0, byte = 0x80; byte >= 0x80; shift += 7) {
    if (shift > 28) throw new RangeError('the length of a Snappy block is no 32-bit number');
    byte = next();
    promised += (byte & 0x7f) * 2 ** shift;
  }

  let length = 0;
  while (at < block.length) {
    const tag = next();
    const kind = tag & 3;
    if (kind === Tag.literal) {
      const short = tag >>> 2;
      const literal = 1 + (short < 60 ? short : uint(short - 59));
      at += literal;
      length += literal;
      if (at > block.length) throw new RangeError('a literal of a Snappy block ends too late');
    } else {
      const offset = kind === Tag.nearCopy ? ((tag >>> 5) << 8) + next() : uint(kind === Tag.farCopy ? 2 : 4);
      if (offset === 0 || offset > length)
        throw new RangeError('a copy of a Snappy block begins outside of it');
      length += kind === Tag.nearCopy ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    }
  }
  if (length !== promised)
    throw new RangeError(`a Snappy block promises ${promised} bytes, and has ${length}`);
  return uncompress(Buffer.from(block.buffer, block.byteOffset, block.byteLength));
}
