import * as zlib from 'node:zlib';
import { MillraceError } from '../../errors.js';
import type { CompressionCodec, Compressors } from './writerTypes.js';

/** How pages are compressed. */
export interface Compression {
  readonly codec: CompressionCodec;
  readonly compressors: Compressors;
}

/** Codecs that pages can be written with. */
export type WritingCodec = Extract<CompressionCodec, 'SNAPPY' | 'GZIP' | 'ZSTD' | 'UNCOMPRESSED'>;

/** Node has it from 22.15 and 23.8. */
const zstd = (zlib as { readonly zstdCompressSync?: (input: Uint8Array) => Buffer }).zstdCompressSync;

export const writesZstd = zstd !== undefined;

/** Compresses pages. hyparquet-writer has Snappy built in. Errors: `UnknownCodec`. */
export function compressionOf(codec: CompressionCodec): Compression {
  if (codec === 'ZSTD' && zstd === undefined)
    throw new MillraceError(
      'UnknownCodec',
      'The pages of a Parquet file are to be compressed with zstd, which needs Node 22.15 or later. Start the job with such a version.',
    );
  return {
    codec,
    compressors: {
      GZIP: (input) => zlib.gzipSync(input),
      ...(zstd !== undefined && { ZSTD: (input: Uint8Array) => zstd(input) }),
    },
  };
}
