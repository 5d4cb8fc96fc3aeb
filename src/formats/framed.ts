/**
 * Decompresses objects whose frames can be found without decompressing them. Each frame has its own engine, a stream of
 * Node's, so reading can resume at each frame.
 *
 *   between ──byte──▶ frame ──its last byte──▶ draining ──engine's end──▶ between ──finish──▶ over
 *
 * The engine works in the thread pool, and pauses when enough output waits.
 */
import type { Transform } from 'node:stream';
import { MillraceError } from '../errors.js';
import type { Decompressor, DecompressorOptions, MemberStart } from './decompressor.js';
import { Decompressed } from './decompressed.js';

/** Finds the ends of frames, in bytes that it sees once, in order. */
export interface FrameFinder {
  /**
   * The number of bytes of `input`, from its start, that belong to the current frame, and whether they are its last. A string: the
   * input is corrupt.
   */
  take(input: Buffer): { readonly bytes: number; readonly last: boolean } | string;
  /** Approximate bytes of memory that the engine of the current frame needs. */
  readonly engineBytes: number;
}

export interface FramedCodec {
  /** For messages. */
  readonly name: string;
  /** @param atStart whether the first frame is that of an object */
  finder(atStart: boolean): FrameFinder;
  engine(): Transform & { readonly bytesWritten?: number };
  /** Whether the end of the input ends the frame. */
  readonly endless: boolean;
}

export class FramedDecompressor implements Decompressor {
  readonly #codec: FramedCodec;
  readonly #options: DecompressorOptions;
  readonly #finder: FrameFinder;
  readonly #out: Decompressed;
  #state: 'between' | 'frame' | 'draining' | 'over' | 'closed' = 'between';
  #input: Buffer = Buffer.alloc(0);
  #inputAt: number;
  #finishing = false;
  #engine: (Transform & { readonly bytesWritten?: number }) | undefined;
  /** Bytes that the engine was given. */
  #given = 0;
  /** The engine is processing bytes. */
  #working = false;

  constructor(codec: FramedCodec, options: DecompressorOptions) {
    this.#codec = codec;
    this.#options = options;
    this.#finder = codec.finder(options.from.at === 0);
    this.#out = new Decompressed(options.from);
    this.#inputAt = options.from.at;
  }

  get hungry(): boolean {
    return !this.#working && !this.#finishing && this.#state !== 'closed' && this.#input.length === 0;
  }

  get over(): boolean {
    return this.#state === 'over' && this.#out.empty;
  }

  get held(): number {
    return this.#out.held + (this.#engine === undefined ? 0 : this.#finder.engineBytes);
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

  #advance(): void {
    if (this.#working || this.#state === 'closed' || this.#state === 'over') return;
    if (this.#input.length > 0) {
      if (!this.#out.full) this.#give();
    } else if (this.#finishing) this.#finished();
  }

  #give(): void {
    if (this.#state === 'between') {
      this.#out.startMember(this.#inputAt);
      this.#state = 'frame';
    }
    const taken = this.#finder.take(this.#input);
    if (typeof taken === 'string') {
      this.#corrupt(taken);
      return;
    }
    const engine = (this.#engine ??= this.#newEngine());
    const bytes = this.#input.subarray(0, taken.bytes);
    this.#input = this.#input.subarray(taken.bytes);
    this.#inputAt += bytes.length;
    this.#given += bytes.length;
    this.#working = true;
    if (taken.last) {
      this.#state = 'draining';
      engine.end(bytes);
    } else
      engine.write(bytes, (error) => {
        if (error != null || this.#engine !== engine || this.#state !== 'frame') return;
        this.#working = false;
        this.#advance();
        this.#options.ready();
      });
  }

  #newEngine(): Transform {
    const engine = this.#codec.engine();
    this.#given = 0;
    engine.on('data', (chunk: Buffer) => {
      if (this.#engine !== engine) return;
      this.#out.put(chunk);
      if (this.#out.full) engine.pause();
      this.#options.ready();
    });
    engine.on('end', () => {
      if (this.#engine !== engine) return;
      // It ignores bytes after the end of its data.
      if (this.#state !== 'draining' || (engine.bytesWritten ?? this.#given) !== this.#given) {
        this.#corrupt('there is more after its end');
        return;
      }
      this.#engine = undefined;
      engine.destroy();
      this.#working = false;
      this.#state = 'between';
      this.#advance();
      this.#options.ready();
    });
    engine.on('error', (cause: Error) => {
      if (this.#engine === engine) this.#corrupt(cause.message, cause);
    });
    return engine;
  }

  #finished(): void {
    if (this.#state === 'between') this.#state = 'over';
    else if (this.#state !== 'frame') return;
    else if (!this.#codec.endless || this.#engine === undefined) this.#corrupt('it is truncated');
    else {
      this.#working = true;
      this.#state = 'draining';
      this.#engine.end();
    }
  }

  #corrupt(what: string, cause?: Error): void {
    const { name } = this.#codec;
    this.close();
    this.#options.fail(
      new MillraceError(
        'Integrity',
        `${this.#options.object} is not intact ${name}: ${what} (before byte ${this.#inputAt} of the stored object). Replace the object, or read it as it is with compression: 'none'.`,
        cause === undefined ? {} : { cause },
      ),
    );
  }
}
