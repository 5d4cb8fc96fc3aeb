import * as zlib from 'node:zlib';
import { compress } from 'snappyjs';
import { decompress } from '../snappyBlock.js';
import { BadBlock } from './failures.js';

/** How the blocks of a container are compressed. */
export type AvroCodec = 'null' | 'deflate' | 'snappy' | 'zstandard';

export interface BlockCodec {
  compress(content: Buffer): Uint8Array;
  /** Returns at most `most` bytes. Throws if there are more, or if it is damaged. */
  decompress(data: Buffer, most: number): Buffer;
}

type Sync = (input: Uint8Array, options?: { readonly maxOutputLength: number }) => Buffer;

/** Node has it from 22.15 and 23.8. */
const { zstdCompressSync, zstdDecompressSync } = zlib as {
  readonly zstdCompressSync?: Sync;
  readonly zstdDecompressSync?: Sync;
};

const checksumBytes = 4;

const snappy: BlockCodec = {
  compress(content) {
    const checksum = Buffer.alloc(checksumBytes);
    checksum.writeUInt32BE(zlib.crc32(content));
    return Buffer.concat([compress(content), checksum]);
  },
  decompress(data, most) {
    const end = data.length - checksumBytes;
    if (end < 0) throw new BadBlock('it is cut off');
    const content = decompress(data.subarray(0, end), most);
    if (zlib.crc32(content) !== data.readUInt32BE(end)) throw new BadBlock('the checksum does not match');
    return content;
  },
};

export const blockCodecs: Readonly<Partial<Record<string, BlockCodec>>> = {
  null: {
    compress: (content) => content,
    decompress(data, most) {
      if (data.length > most) throw new BadBlock(`it has ${data.length} bytes`);
      return data;
    },
  },
  deflate: {
    compress: (content) => zlib.deflateRawSync(content),
    decompress: (data, most) => zlib.inflateRawSync(data, { maxOutputLength: most }),
  },
  snappy,
  ...(zstdCompressSync !== undefined &&
    zstdDecompressSync !== undefined && {
      zstandard: {
        compress: (content) => zstdCompressSync(content),
        decompress: (data, most) => zstdDecompressSync(data, { maxOutputLength: most }),
      },
    }),
};
