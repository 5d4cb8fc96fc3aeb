/**
 * A format turns records into bytes and bytes into records. Both directions are plain and synchronous; a codec (gzip)
 * sits between them and the store.
 */

/** Writes records one after the other; every record's bytes end in the format's own boundary. */
export interface Writer<T> {
  /** The usual ending of such files, with the dot: `.ndjson`. */
  readonly extension: string;
  /** One record's text, boundary included; it is stored as UTF-8. */
  encode(record: T): string;
}

/** Cuts bytes at record boundaries and parses what lies between them. */
export interface Reader<T> {
  readonly extension: string;
  /**
   * Parses `block`, which holds whole records only, and hands each to `on`. `start` is the block's offset in the
   * (decompressed) object, for errors. A record that cannot be parsed goes to `malformed` instead; parsing goes on.
   */
  decode(block: Buffer, start: number, on: (record: T) => void, malformed: (bad: Malformed) => void): void;
}

export interface Malformed {
  /** Offset of the record in the (decompressed) object, and its length without the boundary. Bytes. */
  readonly offset: number;
  readonly length: number;
  /** The 1-based line inside the block. */
  readonly line: number;
  /** The record as text. */
  readonly text: string;
  readonly reason: string;
}

export interface Format<T> extends Writer<T>, Reader<T> {}
