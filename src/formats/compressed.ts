/**
 * Compression of files while they are written: an encoder around an encoder.
 *
 * 1. What the format writes is collected, and counted in `held`. Every 256 KiB become a frame (a member, in gzip), which goes
 *    to the output. Frames are independent, so what is written is a complete file after any of them.
 * 2. At a checkpoint the frame in progress ends, however short it is. What the checkpoint keeps in addition is what it keeps of the
 *    format itself: the bytes that would close the file are compressed as a frame, rows are kept as they are, and
 *    are compressed when they are sealed.
 * 3. If memory is short, the frame in progress ends early, and the file stays open.
 *
 * Frames are compressed synchronously, which takes some milliseconds for one. A frame does not refer to those before it: text of
 * 256 KiB loses one to three percent to that.
 */
import type { Compressor } from './decompressor.js';
import type { FileEncoder, FileOutput, Persisted, Restore, Writer } from './writer.js';

/** Strings are encoded once they have this many characters. */
const block = 16 * 1024;
/** The unit in which `held` grows, in bytes. */
const step = 1024;

/**
 * A format whose files are compressed.
 *
 * @param frameBytes bytes of content in a frame
 */
export function compressed<T>(format: Writer<T>, compressor: Compressor, frameBytes = 256 * 1024): Writer<T> {
  return {
    extension: `${format.extension}${compressor.extension}`,
    restore: restoreOf(format.restore, compressor),
    open: (out) => new CompressedEncoder(format, compressor, frameBytes, out),
  };
}

function restoreOf(inner: Restore, compressor: Compressor): Restore {
  if (inner === 'anywhere') return 'closing';
  if (typeof inner === 'string') return inner;
  return {
    name: `${inner.name}${compressor.extension}`,
    seal: (state, rows) => compressor.compress(inner.seal(state, rows)),
  };
}

class CompressedEncoder<T> implements FileEncoder<T> {
  readonly #encoder: FileEncoder<T>;
  readonly #compressor: Compressor;
  readonly #frameBytes: number;
  readonly #out: FileOutput;
  #text = '';
  #chunks: Uint8Array[] = [];
  /** Bytes of `#chunks`. */
  #length = 0;

  constructor(format: Writer<T>, compressor: Compressor, frameBytes: number, out: FileOutput) {
    this.#compressor = compressor;
    this.#frameBytes = frameBytes;
    this.#out = out;
    this.#encoder = format.open({
      write: (chunk) => {
        if (typeof chunk === 'string') this.#text += chunk;
        else {
          this.#encodeText();
          this.#add(Buffer.from(chunk));
        }
        if (this.#text.length >= block) this.#encodeText();
      },
    });
  }

  /** In steps, so that not every record changes it. */
  get held(): number {
    const own = this.#length + this.#text.length;
    return this.#encoder.held + Math.ceil(own / step) * step;
  }

  write(record: T): void {
    this.#encoder.write(record);
    if (this.#length + this.#text.length >= this.#frameBytes) this.#endFrame();
  }

  persist(all: boolean): Persisted {
    const { closing, ...rest } = this.#encoder.persist?.(all) ?? {};
    this.#endFrame();
    return { ...rest, ...(closing !== undefined && { closing: this.#compressor.compress(closing) }) };
  }

  flush(): void {
    this.#encoder.flush?.();
    this.#endFrame();
  }

  finish(): void {
    this.#encoder.finish();
    this.#endFrame();
  }

  #encodeText(): void {
    if (this.#text === '') return;
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    this.#add(bytes);
  }

  #add(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  #endFrame(): void {
    this.#encodeText();
    if (this.#length === 0) return;
    const content = Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [];
    this.#length = 0;
    for (let at = 0; at < content.length; at += this.#frameBytes)
      this.#out.write(this.#compressor.compress(content.subarray(at, at + this.#frameBytes)));
  }
}
