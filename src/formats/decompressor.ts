/**
 * Codecs, which sit between the stored bytes of an object and its records. A codec is one file; `codec.ts` lists them,
 * and `detect.ts` tells which one an object needs.
 *
 * A decompressor is fed stored chunks and read for decompressed ones, both at the reader's pace. It works off the main
 * thread and stops when enough waits to be read, so that what a small object inflates to never fills the memory.
 *
 * A compressed object is a sequence of members (gzip) or frames (zstd), each of which can be decompressed by itself: where
 * one starts, in stored and in decompressed bytes, is known to the reader, who may begin a later run there. A codec
 * without them has one member, which starts with the object.
 */

/** First bytes that tell what an object is, from the format's own specification. */
export interface Signature {
  /** Default 0. */
  readonly at?: number;
  readonly bytes: Buffer;
  /** Text may begin with it, so it counts only if bytes follow that text cannot have. Default `false`. */
  readonly readable?: boolean;
}

/** A known compression, whether it can be read or not. */
export interface Compression {
  /** For options, positions and messages: `gzip`. */
  readonly name: string;
  /** Endings of object names, without the dot, and tokens of Content-Encoding. Lower case. */
  readonly words: readonly string[];
  /** Without any, only a name or a header can tell. */
  readonly signatures: readonly Signature[];
}

/** A compression that is read. */
export interface Codec extends Compression {
  /** A decompressor for one pass over an object. */
  open(options: DecompressorOptions): Decompressor;
}

/** The start of a member: its offset in the stored object, and in the decompressed one. */
export interface MemberStart {
  readonly at: number;
  readonly offset: number;
}

export interface Decompressor {
  /** Takes a chunk of stored bytes. Only while `hungry`; the chunk is not copied and must not change. */
  push(chunk: Uint8Array): void;
  /** There are no more stored bytes. Only while `hungry`. */
  finish(): void;
  /** Whether the last chunk has been processed. */
  readonly hungry: boolean;
  /** Takes the next decompressed chunk; `undefined` if none is here. */
  read(): Buffer | undefined;
  /** Whether everything has been read. */
  readonly over: boolean;
  /** The last member that starts at or before the decompressed offset, which must not regress from call to call. */
  member(offset: number): MemberStart;
  /** Bytes of memory: decompressed and not yet read, and what the engine needs. */
  readonly held: number;
  /** Frees the engine. */
  close(): void;
}

export interface DecompressorOptions {
  /** For messages: the object's URI. */
  readonly object: string;
  /** Where the first byte that will be pushed lies; a member must start there. */
  readonly from: MemberStart;
  /** The decompressor has output, is hungry again, or over. Never called inside a call of the decompressor. */
  readonly ready: () => void;
  /** Errors: `Integrity`, naming object and offset. */
  readonly fail: (error: Error) => void;
}
