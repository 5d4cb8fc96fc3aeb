import { uncompress } from 'snappyjs';

/**
 * Decompresses a raw, untrusted Snappy block. On malformed input, snappyjs may loop forever (negative lengths), and
 * it allocates the declared length. So the tags are checked first, and must add up to the declared length. A block
 * expands to at most 22 times its size. Format: google/snappy, `format_description.txt`.
 *
 * Throws `RangeError`.
 *
 * @param most limit of the decompressed size, in bytes
 */
export function decompress(block: Uint8Array, most = Infinity): Buffer {
  const size = block.length;
  let at = 0;
  let promised = 0;
  for (let scale = 1, byte = 0x80; byte >= 0x80; scale *= 128) {
    if (at === 5 || at === size) throw new RangeError('a Snappy block has no length');
    byte = block[at++] ?? 0;
    promised += (byte & 0x7f) * scale;
  }

  if (promised > most) throw new RangeError(`a Snappy block promises more than ${most} bytes`);
  let length = 0;
  while (at < size) {
    const tag = block[at++] ?? 0;
    const six = tag >>> 2;
    switch (tag & 3) {
      case 0: {
        // A literal: its length minus one, in six bits or in the next one to four bytes.
        const literal = six < 60 ? six + 1 : unsigned(block, at, six - 59) + 1;
        if (six >= 60) at += six - 59;
        at += literal;
        length += literal;
        break;
      }
      // Copies, with offsets of eleven bits, two bytes and four bytes.
      case 1:
        checkOffset(((tag >>> 5) << 8) + (block[at] ?? 0), length);
        length += (six & 7) + 4;
        at++;
        break;
      case 2:
        checkOffset((block[at] ?? 0) + ((block[at + 1] ?? 0) << 8), length);
        length += six + 1;
        at += 2;
        break;
      default:
        checkOffset(unsigned(block, at, 4), length);
        length += six + 1;
        at += 4;
    }
  }
  if (at > size) throw new RangeError('a Snappy block is cut off');
  if (length !== promised)
    throw new RangeError(`a Snappy block promises ${promised} bytes, and has ${length}`);
  return uncompress(Buffer.from(block.buffer, block.byteOffset, size));
}

function checkOffset(offset: number, length: number): void {
  if (offset === 0 || offset > length) throw new RangeError('a copy of a Snappy block begins outside of it');
}

/** Little-endian. */
function unsigned(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
