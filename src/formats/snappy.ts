import { Transform, type TransformCallback } from 'node:stream';
import { compress } from 'snappyjs';
import { crc32c } from '../store/checksums.js';
import type { Codec } from './decompressor.js';
import { FramedDecompressor, type FramedCodec, type FrameFinder } from './framed.js';
import { decompress } from './snappyBlock.js';

/** google/snappy, `framing_format.txt`. A frame, here, is a chunk of it. */
const identifier = Buffer.from([0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
const headerBytes = 4;
const checksumBytes = 4;
/** The maximum decompressed bytes of a chunk. */
const mostBytes = 65_536;
/** The maximum stored bytes of a chunk with data: a block that does not compress. */
const mostStored = checksumBytes + 32 + mostBytes + Math.floor(mostBytes / 6);

class ChunkFinder implements FrameFinder {
  readonly engineBytes = 2 * mostBytes;
  #begun: Buffer = Buffer.alloc(0);
  #left = 0;
  #atStart: boolean;

  constructor(atStart: boolean) {
    this.#atStart = atStart;
  }

  take(input: Buffer): { readonly bytes: number; readonly last: boolean } | string {
    let at = 0;
    while (this.#begun.length < headerBytes) {
      if (at === input.length) return { bytes: at, last: false };
      this.#begun = Buffer.concat([this.#begun, input.subarray(at, ++at)]);
      if (this.#begun.length < headerBytes) continue;
      const type = this.#begun[0] ?? 0;
      this.#left = this.#begun.readUIntLE(1, 3);
      if (this.#atStart && type !== 0xff) return 'no Snappy stream identifier here';
      if (type >= 2 && type < 0x80) return `a chunk of unknown type ${type}`;
      if (type < 2 && (this.#left < checksumBytes || this.#left > mostStored))
        return 'a chunk of impossible length';
    }
    this.#atStart = false;
    const taken = Math.min(this.#left, input.length - at);
    this.#left -= taken;
    const last = this.#left === 0;
    if (last) this.#begun = Buffer.alloc(0);
    return { bytes: at + taken, last };
  }
}

/** Decompresses one chunk. */
class ChunkEngine extends Transform {
  #parts: Buffer[] = [];

  override _transform(part: Buffer, _encoding: string, done: TransformCallback): void {
    // Padding may be long, and has no content.
    const type = this.#parts[0]?.[0] ?? part[0] ?? 0;
    if (type < 2 || this.#parts.length === 0 || type === 0xff) this.#parts.push(part);
    done();
  }

  override _flush(done: TransformCallback): void {
    try {
      done(null, contentOf(Buffer.concat(this.#parts)));
    } catch (error) {
      done(error as Error);
    }
  }
}

function contentOf(chunk: Buffer): Buffer {
  const type = chunk[0] ?? 0;
  if (type === 0xff) {
    if (!chunk.equals(identifier)) throw new RangeError('not the Snappy stream identifier');
    return Buffer.alloc(0);
  }
  if (type >= 2) return Buffer.alloc(0);
  const stored = chunk.subarray(headerBytes + checksumBytes);
  const content = type === 0 ? decompress(stored, mostBytes) : Buffer.from(stored);
  if (content.length > mostBytes) throw new RangeError(`a chunk has more than ${mostBytes} bytes`);
  if (chunk.readUInt32LE(headerBytes) !== masked(crc32c(content, 0)))
    throw new RangeError('the checksum does not match');
  return content;
}

const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

const framed: FramedCodec = {
  name: 'Snappy',
  finder: (atStart) => new ChunkFinder(atStart),
  engine: () => new ChunkEngine(),
  endless: false,
};

/** A stream of its own: the identifier, and a chunk for every 64 KiB, compressed if that is shorter. */
function framesOf(content: Uint8Array): Buffer {
  const frames: Uint8Array[] = [identifier];
  for (let at = 0; at < content.length; at += mostBytes) {
    const piece = content.subarray(at, at + mostBytes);
    const block = compress(piece);
    const stored = block.length < piece.length ? block : piece;
    const header = Buffer.alloc(headerBytes + checksumBytes);
    header.writeUIntLE(checksumBytes + stored.length, 1, 3);
    header[0] = stored === block ? 0 : 1;
    header.writeUInt32LE(masked(crc32c(piece, 0)), headerBytes);
    frames.push(header, stored);
  }
  return Buffer.concat(frames);
}

export const snappy: Codec & { readonly name: 'snappy' } = {
  name: 'snappy',
  words: ['snappy', 'sz', 'x-snappy-framed'],
  signatures: [{ bytes: identifier }],
  compressor: { extension: '.sz', compress: framesOf },
  open: (options) => new FramedDecompressor(framed, options),
};
