import { brotli } from './brotli.js';
import type { Codec, Compression, Compressor, Signature } from './decompressor.js';
import { gzip } from './gzip.js';
import { snappy } from './snappy.js';
import { unreadZstd, zstd } from './zstd.js';

/** All codecs of this version of Node. A new one is a file, and a line here. */
export const codecs: readonly (Codec & { readonly name: Exclude<CodecName, 'none'> })[] = [
  gzip,
  ...(zstd === undefined ? [] : [zstd]),
  brotli,
  snappy,
];

/** Opens a decompressor of gzip members. */
export const gunzip: Codec['open'] = (options) => gzip.open(options);

/** `none`: the stored bytes are the content. */
export type CodecName = 'none' | 'gzip' | 'zstd' | 'brotli' | 'snappy';

/** The compressions that files can be written with. `zstd`: in Node 22.15 and later. */
export type CompressionName = 'gzip' | 'zstd' | 'snappy';

/** How to write the compression with this name; `undefined` if this version of Node cannot. */
export function compressorNamed(name: CompressionName): Compressor | undefined {
  return codecNamed(name)?.compressor;
}

/** The codec with this name. */
export function codecNamed(name: string): Codec | undefined {
  return codecs.find((codec) => codec.name === name);
}

/** Compressions that are recognized but not supported. Such objects are refused by name instead of parsed as they are. */
const unread: readonly Compression[] = [
  ...(zstd === undefined ? [unreadZstd] : []),
  known(
    'lz4',
    ['lz4'],
    [
      [0x04, 0x22, 0x4d, 0x18],
      [0x02, 0x21, 0x4c, 0x18],
    ],
  ),
  // Skippable frames, 0x184D2A50 to 0x184D2A5F, which both formats have.
  known(
    'zstd or lz4',
    [],
    Array.from({ length: 16 }, (_, i) => [0x50 + i, 0x2a, 0x4d, 0x18]),
  ),
  {
    name: 'bzip2',
    words: ['bz2', 'bzip2', 'x-bzip2'],
    signatures: [{ bytes: Buffer.from('BZh'), readable: true }],
  },
  known('xz', ['xz', 'x-xz'], [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]]),
  known('compress (.Z)', ['z', 'compress', 'x-compress'], [[0x1f, 0x9d]]),
  known('lzop', [], [[0x89, 0x4c, 0x5a, 0x4f, 0]]),
  known('lzip', [], [[0x4c, 0x5a, 0x49, 0x50, 1]]),
  known('lzo', ['lzo']),
  known('lzma', ['lzma']),
  known('deflate', ['deflate']),
];

/** All recognized compressions. */
export const compressions: readonly Compression[] = [...codecs, ...unread];

function known(
  name: string,
  words: readonly string[],
  signatures: readonly (readonly number[])[] = [],
): Compression {
  return { name, words, signatures: signatures.map((each): Signature => ({ bytes: Buffer.from(each) })) };
}
