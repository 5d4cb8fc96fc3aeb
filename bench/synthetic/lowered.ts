/** The synthetic content in lower case: what programs make of it that do some work on every byte. */
import { Digest } from './digest.js';
import { longest, period, slice } from './content.js';

export const lowerCase = (block: Uint8Array): Buffer =>
  Buffer.from(
    Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString('latin1').toLowerCase(),
    'latin1',
  );

/** The {@link Digest} of `size` bytes from `first` on in lower case. */
export function digestOfLowered(size: number, first = 0): string {
  const content = lowerCase(slice(0, longest));
  const piece = longest - period;
  const digest = new Digest();
  for (let offset = 0; offset < size; offset += piece) {
    const start = (first + offset) % period;
    digest.update(content.subarray(start, start + Math.min(piece, size - offset)));
  }
  return digest.toString();
}
