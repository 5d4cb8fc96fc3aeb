import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { Codec, Compression } from './decompressor.js';
import { FramedDecompressor, type FramedCodec, type FrameFinder } from './framed.js';

/** Node has it from 22.15 and 23.8. */
type CreateDecompress = (options: { readonly chunkSize: number }) => Transform;
type Compress = (content: Uint8Array) => Buffer;
const { createZstdDecompress: create, zstdCompressSync: compress } = zlib as {
  readonly createZstdDecompress?: CreateDecompress;
  readonly zstdCompressSync?: Compress;
};

const words = ['zst', 'zstd', 'x-zstd'];
const signatures = [{ bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) }];
const bufferBytes = 128 * 1024;
/** What a frame may demand, as for `zstd -d`. Bytes. */
const mostWindow = 128 * 1024 * 1024;

/** Finds the ends of frames by their headers and those of their blocks, RFC 8878. */
export class ZstdFinder implements FrameFinder {
  /** The beginning of the header in progress. */
  #begun: Buffer = Buffer.alloc(0);
  #part: 'frame' | 'block' = 'frame';
  /** Bytes until the next header, or until the end of the frame. */
  #skip = 0;
  #last = false;
  #checksum = 0;
  #window = 0;

  get engineBytes(): number {
    return this.#window + bufferBytes;
  }

  take(input: Buffer): { readonly bytes: number; readonly last: boolean } | string {
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.#skip, input.length - at);
      this.#skip -= skipped;
      at += skipped;
      if (this.#skip > 0) return { bytes: at, last: false };
      if (this.#last) {
        this.#last = false;
        this.#part = 'frame';
        return { bytes: at, last: true };
      }
      if (at === input.length) return { bytes: at, last: false };
      this.#begun = Buffer.concat([this.#begun, input.subarray(at, ++at)]);
      const known = this.#part === 'frame' ? this.#frame(this.#begun) : this.#block(this.#begun);
      if (typeof known === 'string') return known;
      if (known) this.#begun = Buffer.alloc(0);
    }
  }

  /** Whether the header is complete. A string: why it is not a header. */
  #frame(header: Buffer): boolean | string {
    if (header.length < 5) return false;
    const magic = header.readUInt32LE(0);
    if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) {
      if (header.length < 8) return false;
      this.#skip = header.readUInt32LE(4);
      this.#last = true;
      this.#window = 0;
      return true;
    }
    if (magic !== 0xfd2fb528) return 'no zstd frame here';
    const descriptor = header[4] ?? 0;
    const single = (descriptor & 0x20) !== 0;
    const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
    const windowBytes = single ? 0 : 1;
    if (header.length < 5 + windowBytes + dictionaryBytes + sizeBytes) return false;
    this.#checksum = (descriptor & 4) === 0 ? 0 : 4;
    this.#window = single ? sizeOf(header.subarray(5 + dictionaryBytes)) : windowOf(header[5] ?? 0);
    if (this.#window > mostWindow)
      return `a frame demands a window of ${this.#window} bytes, and the limit is ${mostWindow}`;
    this.#part = 'block';
    return true;
  }

  #block(header: Buffer): boolean {
    if (header.length < 3) return false;
    const bits = header.readUIntLE(0, 3);
    const isRun = ((bits >>> 1) & 3) === 1;
    this.#last = (bits & 1) === 1;
    this.#skip = (isRun ? 1 : bits >>> 3) + (this.#last ? this.#checksum : 0);
    return true;
  }
}

function sizeOf(field: Buffer): number {
  const size = field.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return field.length === 2 ? size + 256 : size;
}

function windowOf(byte: number): number {
  const base = 2 ** (10 + (byte >>> 3));
  return base + (base / 8) * (byte & 7);
}

/** RFC 8878; `undefined` if this version of Node does not have it. */
export const zstd: (Codec & { readonly name: 'zstd' }) | undefined =
  create === undefined || compress === undefined
    ? undefined
    : {
        name: 'zstd',
        words,
        signatures,
        compressor: { extension: '.zst', compress: (content) => compress(content) },
        open: opener(create),
      };

/** It is recognized where Node does not have it. */
export const unreadZstd: Compression = { name: 'zstd, which needs Node 22.15 or later', words, signatures };

function opener(engine: CreateDecompress): Codec['open'] {
  const framed: FramedCodec = {
    name: 'zstd',
    finder: () => new ZstdFinder(),
    engine: () => engine({ chunkSize: 64 * 1024 }),
    endless: false,
  };
  return (options) => new FramedDecompressor(framed, options);
}
