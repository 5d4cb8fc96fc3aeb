import { compress as snappyCompress } from 'snappyjs';
import * as zlib from 'node:zlib';
import { crc32c } from '#src/store/checksums.js';

/** Node has it from 22.15. */
type Compress = (content: Uint8Array) => Buffer;
const zstdCompress = (zlib as { readonly zstdCompressSync?: Compress }).zstdCompressSync;

function snappyChunk(type: number, content: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header[0] = type;
  header.writeUIntLE(content.length, 1, 3);
  return Buffer.concat([header, content]);
}

function snappyData(content: Buffer, raw: boolean): Buffer {
  const sum = Buffer.alloc(4);
  const crc = crc32c(content, 0);
  sum.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return snappyChunk(raw ? 1 : 0, Buffer.concat([sum, raw ? content : snappyCompress(content)]));
}

/** A stream of Snappy chunks. Every third is stored as it is. */
export function snappyFrames(content: Uint8Array): Buffer {
  const all = Buffer.from(content);
  const chunks = [snappyChunk(0xff, Buffer.from('sNaPpY'))];
  for (let at = 0; at < all.length; at += 65_536)
    chunks.push(snappyData(all.subarray(at, at + 65_536), chunks.length % 3 === 2));
  return Buffer.concat(chunks);
}

export interface Compression {
  readonly name: 'gzip' | 'zstd' | 'brotli' | 'snappy';
  readonly extension: string;
  readonly compress: Compress;
  /** Bytes without content that may follow a member. */
  readonly padding: (bytes: number) => Buffer;
  /** Whether members may follow one another. */
  readonly members: boolean;
}

function skippable(bytes: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a53);
  header.writeUInt32LE(bytes, 4);
  return Buffer.concat([header, Buffer.alloc(bytes)]);
}

/** The codecs of this version of Node. */
export const compressions: readonly Compression[] = [
  {
    name: 'gzip',
    extension: 'gz',
    compress: (content) => zlib.gzipSync(content),
    padding: (bytes) => Buffer.alloc(bytes),
    members: true,
  },
  {
    name: 'brotli',
    extension: 'br',
    compress: (content) =>
      zlib.brotliCompressSync(content, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 2 } }),
    padding: () => Buffer.alloc(0),
    members: false,
  },
  {
    name: 'snappy',
    extension: 'sz',
    compress: snappyFrames,
    padding: (bytes) => (bytes === 0 ? Buffer.alloc(0) : snappyChunk(0xfe, Buffer.alloc(bytes - 1))),
    members: true,
  },
  ...(zstdCompress === undefined
    ? []
    : [
        {
          name: 'zstd' as const,
          extension: 'zst',
          compress: zstdCompress,
          padding: (bytes: number) => (bytes === 0 ? Buffer.alloc(0) : skippable(bytes - 1)),
          members: true,
        },
      ]),
];

/** Compresses content in members that are cut at these offsets, if the codec has members. */
export function compressed(
  { compress, members }: Compression,
  content: Buffer,
  cuts: readonly number[],
): Buffer {
  if (!members) return compress(content);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (content.length + 1)), content.length])].sort(
    (a, b) => a - b,
  );
  if (places.length === 1) return compress(content);
  return Buffer.concat(places.slice(1).map((to, i) => compress(content.subarray(places[i], to))));
}
