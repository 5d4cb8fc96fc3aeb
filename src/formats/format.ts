/**
 * A format turns records into bytes and bytes into records. Both directions are plain and synchronous; a codec
 * (`codec.ts`) sits between them and the store.
 *
 * Reading goes in two steps. A {@link Cutter} finds record boundaries in bytes as they arrive, so that a source can
 * cut its input into blocks of whole records without copying; {@link Reader.decode} then parses such a block. The
 * source knows where in the object a block lies and tells the reader, which names the place of what it cannot parse.
 */
import type { RowWriter } from './writer.js';

/** Cuts bytes at record boundaries and parses what lies between them. */
export interface Reader<T> {
  readonly extension: string;
  /** Bytes that `decode` gets at once, at most. Default 16 KiB, which parsing text likes best. */
  readonly block?: number;
  /**
   * The content is UTF-8 text: an object that is known to be something else (a Parquet file, UTF-16, compressed twice) is
   * refused before any of it is decoded. Default `false`: any bytes.
   */
  readonly text?: boolean;
  /** A finder of boundaries for one pass over an object, beginning at the start of a record. */
  cutter(): Cutter;
  /**
   * Parses `block`, which holds whole records only, and hands each to `on`. `start` is the block's offset in the
   * (decompressed) object and `line` the 1-based number of its first line, for errors. A record that cannot be parsed
   * goes to `malformed` instead; parsing goes on. Returns the number of lines in the block.
   */
  decode(
    block: Buffer,
    start: number,
    line: number,
    on: (record: T) => void,
    malformed: (bad: Malformed) => void,
  ): number;
}

/** Finds record boundaries. One that needs to (quotes in CSV) remembers the record it is in from call to call. */
export interface Cutter {
  /**
   * Looks on from `from`, inside a record or at its start, for the end of that record: the offset just behind its
   * boundary, or -1 if it goes on behind `to`.
   */
  first(bytes: Buffer, from: number, to: number): number;
  /** From the start of a record at `from`, the offset just behind the last boundary before `to`; -1 if there is none. */
  last(bytes: Buffer, from: number, to: number): number;
}

/** A record that cannot be parsed. */
export interface Malformed {
  /** Offset of the record in the (decompressed) object, and its length without the boundary. Bytes. */
  readonly offset: number;
  readonly length: number;
  /** The 1-based line in the object. */
  readonly line: number;
  /** The record as text; bytes that are not UTF-8 show as U+FFFD. */
  readonly text: string;
  readonly reason: string;
}

export interface Format<T> extends RowWriter<T>, Reader<T> {}
