/** The start of a member: its offset in the stored object, and in the decompressed one. */
export interface MemberStart {
  readonly at: number;
  readonly offset: number;
}

export interface Decoder {
  /** Takes a chunk of stored bytes. Only while `hungry`; the chunk is not copied and must not change. */
  push(chunk: Uint8Array): void;
  /** There are no more stored bytes. Only while `hungry`. */
  finish(): void;
  /** Whether the last chunk has been worked off. */
  readonly hungry: boolean;
  /** Takes the next decompressed chunk; `undefined` if none is here. */
  read(): Buffer | undefined;
  /** All has been read to the end. */
  readonly over: boolean;
  /** The last member that starts at or before the decompressed offset, which must not regress from call to call. */
  member(offset: number): MemberStart;
  /** Bytes decompressed and not yet read. */
  readonly held: number;
  /** Frees the engine. */
  close(): void;
}

export interface DecoderOptions {
  /** For messages: the object's URI. */
  readonly object: string;
  /** Where the first byte that will be pushed lies; a member must start there. */
  readonly from: MemberStart;
  /** The decoder has output, is hungry again, or over. Never called inside a call of the decoder. */
  readonly ready: () => void;
  /** Errors: `Integrity`, naming object and offset. */
  readonly fail: (error: Error) => void;
}
