/**
 * Gzip, member by member. Node's gunzip does not expose the boundaries between members. Here every member has its own
 * engine, so reading can resume at each boundary.
 *
 *   header ──parsed──▶ deflate ──stream end──▶ trailer ──checked──▶ between ──byte──▶ header
 *                                                                      └──finish──▶ over
 *
 * - header: bytes are collected until the header is complete.
 * - deflate: a small member that has arrived completely is inflated synchronously, which costs a tenth of an engine. Otherwise
 *   chunks are passed to a raw inflater, which works in the thread pool and pauses when enough output waits. A chunk that it
 *   consumes completely belongs to the deflate stream. If it leaves bytes, the stream ends in that chunk, and the engine ends
 *   once its output has been read.
 * - trailer: eight bytes, the CRC-32 and the length modulo 2³² of the output.
 * - between: zero padding is skipped, as gzip does; anything else must be a header.
 *
 * If the input ends in any state but between, the error is `Integrity`.
 */
import { createInflateRaw, crc32, gzipSync, inflateRawSync, type InflateRaw } from 'node:zlib';
import { MillraceError } from '../errors.js';
import { Decompressed } from './decompressed.js';
import type { Codec, Decompressor, DecompressorOptions, MemberStart } from './decompressor.js';
import { parseGzipHeader } from './gzipHeader.js';

const outputBytes = 64 * 1024;
/** The memory of one engine: its window, its tables and its output buffer. */
const engineBytes = outputBytes + 40 * 1024;
/** The maximum bytes of a member, and members in a row, that are inflated synchronously. */
const smallBytes = 4096;
const smallInARow = 64;
/** Longer headers are rejected: names and comments have no limit. */
const maxHeaderBytes = 128 * 1024;

/** RFC 1952. */
export const gzip: Codec & { readonly name: 'gzip' } = {
  name: 'gzip',
  words: ['gz', 'gzip', 'x-gzip'],
  signatures: [{ bytes: Buffer.from([0x1f, 0x8b, 8]) }],
  compressor: { extension: '.gz', compress: (content) => gzipSync(content) },
  open: (options) => new Gunzipper(options),
};

export class Gunzipper implements Decompressor {
  readonly #options: DecompressorOptions;
  #state: 'between' | 'header' | 'deflate' | 'trailer' | 'over' | 'closed' = 'between';
  /** Stored bytes that are not consumed yet, and their offset in the object. */
  #input: Buffer = Buffer.alloc(0);
  #inputAt: number;
  /** The beginning of an incomplete header or trailer. */
  #partial: Buffer = Buffer.alloc(0);
  #finishing = false;
  #engine: InflateRaw | undefined;
  /** The engine is processing `#input`. */
  #working = false;
  /** The bytes that it had consumed before. */
  #takenBefore = 0;
  #crc = 0;
  #length = 0;
  readonly #out: Decompressed;
  #smallOnes = 0;

  constructor(options: DecompressorOptions) {
    this.#options = options;
    this.#inputAt = options.from.at;
    this.#out = new Decompressed(options.from);
  }

  get hungry(): boolean {
    return !this.#working && !this.#finishing && this.#state !== 'closed' && this.#input.length === 0;
  }

  get over(): boolean {
    return this.#state === 'over' && this.#out.empty;
  }

  get held(): number {
    return this.#out.held + this.#partial.length + (this.#engine === undefined ? 0 : engineBytes);
  }

  push(chunk: Uint8Array): void {
    this.#input = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#advance();
  }

  finish(): void {
    this.#finishing = true;
    this.#advance();
  }

  read(): Buffer | undefined {
    const chunk = this.#out.read();
    if (chunk === undefined) return undefined;
    if (!this.#out.full) {
      if (this.#engine?.isPaused() === true) this.#engine.resume();
      this.#advance();
    }
    return chunk;
  }

  member(offset: number): MemberStart {
    return this.#out.member(offset);
  }

  close(): void {
    this.#state = 'closed';
    this.#engine?.destroy();
    this.#engine = undefined;
    this.#out.clear();
  }

  /** Continues until a state needs bytes, or until the engine processes them. */
  #advance(): void {
    while (!this.#working && this.#take()) {
      // One step per iteration.
    }
    if (this.#finishing && !this.#working && this.#input.length === 0) this.#finished();
  }

  /** One step of the current state; false if it needs more bytes or more room. */
  #take(): boolean {
    switch (this.#state) {
      case 'between': {
        let zeros = 0;
        // Zeros at the start of an object are not padding.
        if (this.#inputAt > 0) while (this.#input[zeros] === 0) zeros++;
        this.#drop(zeros);
        if (this.#input.length === 0) return false;
        this.#state = 'header';
        return true;
      }
      case 'header':
        return this.#header();
      case 'deflate':
        if (this.#input.length === 0 || this.#out.full) return false;
        if (this.#engine === undefined && this.#inflateSmall()) return true;
        this.#inflate();
        return false;
      case 'trailer':
        return this.#trailer();
      case 'over':
      case 'closed':
        return false;
    }
  }

  #header(): boolean {
    const at = this.#inputAt - this.#partial.length;
    const bytes = this.#partial.length === 0 ? this.#input : Buffer.concat([this.#partial, this.#input]);
    const header = parseGzipHeader(bytes);
    if (header === 'bad' || (header === 'more' && bytes.length > maxHeaderBytes)) {
      this.#corrupt(at, 'no gzip header here');
      return false;
    }
    if (header === 'more') {
      this.#partial = Buffer.from(bytes);
      this.#drop(this.#input.length);
      return false;
    }
    this.#drop(header.length - this.#partial.length);
    this.#partial = Buffer.alloc(0);
    this.#out.startMember(at);
    this.#crc = 0;
    this.#length = 0;
    this.#state = 'deflate';
    return true;
  }

  #newEngine(): InflateRaw {
    const engine = createInflateRaw({ chunkSize: outputBytes });
    engine.on('data', (chunk: Buffer) => {
      this.#put(chunk);
      if (this.#out.full) engine.pause();
      this.#options.ready();
    });
    engine.on('end', () => {
      this.#inflated(engine, true);
    });
    engine.on('error', (cause: Error) => {
      if (this.#engine === engine) this.#corrupt(this.#inputAt, cause.message, cause);
    });
    return engine;
  }

  #put(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#crc = crc32(chunk, this.#crc);
    this.#length = (this.#length + chunk.length) >>> 0;
    this.#out.put(chunk);
  }

  /** Inflates a small, complete member; false if there is none, or to give other tasks a turn. */
  #inflateSmall(): boolean {
    if (++this.#smallOnes > smallInARow) {
      this.#smallOnes = 0;
      return false;
    }
    const input = this.#input.subarray(0, smallBytes);
    try {
      const { buffer, engine } = inflateRawSync(input, {
        info: true,
        chunkSize: smallBytes,
        maxOutputLength: smallBytes,
      }) as unknown as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
      // A copy, because the engine's buffer is larger than its content.
      this.#put(Buffer.from(buffer));
      this.#drop(engine.bytesWritten);
    } catch {
      // Too large, incomplete, or not deflate: the engine determines which.
      return false;
    }
    this.#state = 'trailer';
    this.#options.ready();
    return true;
  }

  #inflate(): void {
    const engine = (this.#engine ??= this.#newEngine());
    const chunk = this.#input.length;
    this.#takenBefore = engine.bytesWritten;
    this.#working = true;
    engine.write(this.#input, (error) => {
      // If the engine left bytes, the stream ends in this chunk, and its end event continues, before or after this callback.
      if (error == null && engine.bytesWritten - this.#takenBefore === chunk) this.#inflated(engine, false);
    });
  }

  /** The engine has consumed its part of `#input`. If it has `ended`, all its output has arrived. */
  #inflated(engine: InflateRaw, ended: boolean): void {
    if (this.#engine !== engine) return;
    this.#working = false;
    this.#drop(engine.bytesWritten - this.#takenBefore);
    if (ended) {
      this.#engine = undefined;
      engine.destroy();
      this.#state = 'trailer';
    }
    this.#advance();
    this.#options.ready();
  }

  #trailer(): boolean {
    const missing = 8 - this.#partial.length;
    this.#partial = Buffer.concat([this.#partial, this.#input.subarray(0, missing)]);
    this.#drop(Math.min(missing, this.#input.length));
    if (this.#partial.length < 8) return false;
    const trailer = this.#partial;
    this.#partial = Buffer.alloc(0);
    if (trailer.readUInt32LE(0) !== this.#crc || trailer.readUInt32LE(4) !== this.#length) {
      this.#corrupt(this.#inputAt - 8, 'the checksum does not match');
      return false;
    }
    this.#state = 'between';
    return true;
  }

  #finished(): void {
    if (this.#state === 'between') this.#state = 'over';
    else if (this.#state !== 'over' && this.#state !== 'closed')
      this.#corrupt(this.#inputAt, 'it is truncated');
  }

  #drop(bytes: number): void {
    this.#input = this.#input.subarray(bytes);
    this.#inputAt += bytes;
  }

  #corrupt(at: number, what: string, cause?: Error): void {
    this.close();
    this.#options.fail(
      new MillraceError(
        'Integrity',
        `${this.#options.object} is not intact gzip: ${what} (byte ${at} of the stored object). Replace the object, or read it as it is with compression: 'none'.`,
        cause === undefined ? {} : { cause },
      ),
    );
  }
}
