/**
 * Content that need not be stored: pseudo-random ASCII that repeats after a prime number of bytes. So the bytes at
 * any offset are known, fragments or parts of the usual sizes all differ (a mix-up changes every digest), and the
 * period fits into the CPU cache, so that serving it costs next to nothing.
 */
import { Buffer } from 'node:buffer';

/** The period in bytes. A prime. */
export const period = 1_048_583;

/** The longest slice that {@link slice} can return: 8 MiB, the default part size. */
export const longest = 8 << 20;

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-';

let cached: Buffer | undefined;

function content(): Buffer {
  if (cached !== undefined) return cached;
  const bytes = Buffer.allocUnsafeSlow(period + longest);
  let state = 0x9e3779b9; // xorshift32
  for (let i = 0; i < period; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = alphabet.charCodeAt(state & 63);
  }
  for (let filled = period; filled < bytes.length; filled *= 2) bytes.copy(bytes, filled, 0, filled);
  return (cached = bytes);
}

/** The bytes from `offset` on, at most {@link longest}; a view, not a copy. */
export function slice(offset: number, length: number): Buffer {
  const start = offset % period;
  return content().subarray(start, start + Math.min(length, longest));
}

/** The same as {@link slice}, as a string. Give it `text()` once: a slice of it is then free. */
export function text(): string {
  return content().toString('latin1');
}
