/**
 * Codecs sit between the stored bytes of an object and its records. A codec is one file; `codec.ts` lists them, and
 * `detect.ts` determines which one an object needs.
 *
 * A decompressor takes stored chunks and returns decompressed ones, both at the reader's pace. It works off the main
 * thread and pauses when enough output waits to be read, so a small object that inflates to a huge one does not fill the
 * memory.
 *
 * A compressed object is a sequence of members (gzip) or frames (zstd), which can be decompressed independently. The reader
 * knows where each starts, in stored and in decompressed bytes, and may resume there in a later run. A codec without members
 * has a single one, which is the whole object.
 */

/** The first bytes of a format, from its specification. */
export interface Signature {
  /** Default 0. */
  readonly at?: number;
  readonly bytes: Buffer;
  /** Text may begin with it, so it counts only if control characters follow. Default `false`. */
  readonly readable?: boolean;
}

/** A recognized compression, whether or not it can be read. */
export interface Compression {
  /** The name in options, positions and messages: `gzip`. */
  readonly name: string;
  /** Extensions of object names, without the dot, and tokens of Content-Encoding. Lower case. */
  readonly words: readonly string[];
  /** If empty, only a name or a header can identify it. */
  readonly signatures: readonly Signature[];
}

/** Writes a compression. A compressed file is a sequence of members or frames. */
export interface Compressor {
  /** The usual extension of such files, with the dot: `.gz`. */
  readonly extension: string;
  /** Compresses content as a member or frame of its own. Synchronous: pass some hundred KiB at most. */
  compress(content: Uint8Array): Buffer;
}

/** A compression that can be read. */
export interface Codec extends Compression {
  /** Absent if it cannot be written: a file of it is a single frame, which cannot end at a checkpoint. */
  readonly compressor?: Compressor;
  /** Opens a decompressor for one pass over an object. */
  open(options: DecompressorOptions): Decompressor;
}

/** The start of a member: its offset in the stored object, and in the decompressed one. */
export interface MemberStart {
  readonly at: number;
  readonly offset: number;
}

export interface Decompressor {
  /** Takes a chunk of stored bytes. Call only while `hungry`. The chunk is not copied and must not change. */
  push(chunk: Uint8Array): void;
  /** There are no more stored bytes. Call only while `hungry`. */
  finish(): void;
  /** Whether the last chunk has been processed. */
  readonly hungry: boolean;
  /** Takes the next decompressed chunk; `undefined` if none is available. */
  read(): Buffer | undefined;
  /** Whether everything has been read. */
  readonly over: boolean;
  /** The last member that starts at or before the decompressed offset, which must not decrease from call to call. */
  member(offset: number): MemberStart;
  /** Bytes of memory for unread output and for the engine. */
  readonly held: number;
  /** Frees the engine. */
  close(): void;
}

export interface DecompressorOptions {
  /** The object's URI, for messages. */
  readonly object: string;
  /** The position of the first byte that will be pushed. A member must start there. */
  readonly from: MemberStart;
  /** Called when there is output, when the decompressor is hungry again, and when it is over; never during a call of it. */
  readonly ready: () => void;
  /** Errors: `Integrity`, naming object and offset. */
  readonly fail: (error: Error) => void;
}
