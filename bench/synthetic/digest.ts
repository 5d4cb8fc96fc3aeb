import { crc32 } from 'node:zlib';
import { longest, slice } from './content.js';

/** A running checksum, cheap enough (about 4 GB/s) to sit in a measured loop. */
export class Digest {
  #crc = 0;
  #bytes = 0;

  update(chunk: Uint8Array): void {
    this.#crc = crc32(chunk, this.#crc);
    this.#bytes += chunk.byteLength;
  }

  toString(): string {
    return `${this.#crc.toString(16).padStart(8, '0')}-${this.#bytes}`;
  }
}

const sample = 4 << 10;
const stride = 64 << 10;

/**
 * A digest of the first 4 KiB of every 64 KiB with their offsets, independent of chunk boundaries: enough to detect
 * lost, duplicated or reordered data, and cheap enough for measuring the speed of reading.
 */
export class SampledDigest {
  #crc = 0;
  #bytes = 0;

  update(chunk: Uint8Array): void {
    const start = this.#bytes;
    const end = (this.#bytes = start + chunk.byteLength);
    for (let at = start - (start % stride); at < end; at += stride) {
      const from = Math.max(at, start);
      const to = Math.min(at + sample, end);
      if (from < to) this.#crc = crc32(chunk.subarray(from - start, to - start), this.#crc);
    }
  }

  toString(): string {
    return `${this.#crc.toString(16).padStart(8, '0')}-${this.#bytes}`;
  }
}

/** The {@link Digest} of the first `size` bytes of the synthetic content. */
export function expectedDigest(size: number): string {
  const digest = new Digest();
  for (let offset = 0; offset < size; offset += longest)
    digest.update(slice(offset, Math.min(longest, size - offset)));
  return digest.toString();
}
