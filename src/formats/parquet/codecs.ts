import * as zlib from 'node:zlib';
import type { Compressors } from 'hyparquet';
import { decompress } from '../snappyBlock.js';

type Sync = (input: Uint8Array, options: { readonly maxOutputLength: number }) => Buffer;

/** Node has it from 22.15 and 23.8. */
const zstd = (zlib as { readonly zstdDecompressSync?: Sync }).zstdDecompressSync;

/** Decompressors of pages. What a header promises is all that they return: `most` is its limit, in bytes. */
export function codecsOf(given: Compressors | undefined, most: number): Compressors {
  const limited =
    (inflate: (input: Uint8Array, length: number) => Uint8Array) =>
    (input: Uint8Array, length: number): Uint8Array => {
      if (length > most) throw new RangeError(`a page of ${length} bytes in ${most} bytes of columns`);
      return inflate(input, length);
    };
  const ofNode = (inflate: Sync) =>
    limited((input, length) => inflate(input, { maxOutputLength: Math.max(1, length) }));
  return {
    GZIP: ofNode(zlib.gunzipSync),
    BROTLI: ofNode(zlib.brotliDecompressSync),
    ...(zstd === undefined ? {} : { ZSTD: ofNode(zstd) }),
    ...Object.fromEntries(
      Object.entries(given ?? {})
        .filter(([, inflate]) => typeof inflate === 'function')
        .map(([name, inflate]) => [name, limited(inflate)]),
    ),
    SNAPPY: limited((input, length) => decompress(input, length)),
  };
}

/** Whether `value` is an object of functions. Callers may be JavaScript. */
export const areCodecs = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((each) => typeof each === 'function');
