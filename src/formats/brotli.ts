import { createBrotliDecompress } from 'node:zlib';
import type { Codec } from './decompressor.js';
import { FramedDecompressor, type FramedCodec } from './framed.js';

/** The largest window of RFC 7932, and buffers. */
const engineBytes = 16 * 1024 * 1024 + 128 * 1024;

/** A single frame, which ends with the object: reading resumes at its start. */
const framed: FramedCodec = {
  name: 'brotli',
  finder: () => ({ take: (input) => ({ bytes: input.length, last: false }), engineBytes }),
  engine: () => createBrotliDecompress({ chunkSize: 64 * 1024 }),
  endless: true,
};

/** RFC 7932. It has no signature. */
export const brotli: Codec & { readonly name: 'brotli' } = {
  name: 'brotli',
  words: ['br', 'brotli'],
  signatures: [],
  open: (options) => new FramedDecompressor(framed, options),
};
