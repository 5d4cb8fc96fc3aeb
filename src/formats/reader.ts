/**
 * The reading half of a format. A reader opens a decoder for each object, at its start or at a position; the decoder sees the
 * bytes of that object once, in order:
 *
 * 1. The source asks for boundaries (`last`, `first`) in bytes as they arrive, and cuts them into blocks without copying. A
 *    block holds whole units. A unit is a record, or several that can only be decoded together (a compressed block of a
 *    container). The bytes after the last boundary of an object are its last unit, complete or not.
 * 2. Each block goes to `decode` before the next one is cut.
 * 3. After each block, `state` returns the state that a later decoder needs to continue there. Lines need none; a CSV needs
 *    its header, a format with a dictionary its entries.
 *
 * The source passes the block's place in the object to the decoder, which reports the place of each malformed record.
 */
import type { Json } from '../flow/index.js';

/** Decodes objects: the reading half of a format. */
export interface Reader<T> {
  /**
   * Names the format in positions and messages: `ndjson`. A restored source continues inside an object only with a
   * reader of the same name: when the form of `state` changes, so must the name.
   */
  readonly name: string;
  /**
   * The maximum size of a block in bytes, except for a single larger unit. Default 16 KiB, the fastest for parsing
   * text.
   */
  readonly block?: number;
  /**
   * The content is UTF-8 text: an object that is recognized as something else (a Parquet file, UTF-16, compressed twice) is
   * refused before any of it is decoded. Default `false`: any bytes.
   */
  readonly text?: boolean;
  /**
   * Boundaries can be found from any byte of an object, so that it can be read in splits. Only for decoders without a `state`. Default:
   * objects are read from their start.
   */
  readonly splitting?: Splitting;
  /** Opens a decoder for one object. */
  decoder(start: ObjectStart): ObjectDecoder<T>;
  /**
   * Whether `state` is valid for its decoders. Positions come from a store, and are checked before they are used. Required if
   * decoders have a `state`.
   */
  isState?(state: unknown): boolean;
}

/**
 * How boundaries are found from any byte: `first` of a new decoder, which begins `before` bytes ahead of a byte, or at the start of the object if
 * that is nearer, finds the first boundary after that byte. It knows each boundary with the byte after it, at the latest.
 */
export interface Splitting {
  /** One less than the bytes of a boundary: 0 for a newline. */
  readonly before: number;
}

/** Where a decoder starts. */
export interface ObjectStart {
  /** The object's URI. */
  readonly object: string;
  /** Bytes from the start of the (decompressed) object; of a split that no record was read of, where its range begins. */
  readonly offset: number;
  /** The result of {@link ObjectDecoder.state} here. `undefined` at the start of an object, and for decoders without state. */
  readonly state: Json | undefined;
  /** Its ETag, and its size in bytes as stored. Absent when records are decoded again to find one that caused an error. */
  readonly etag?: string;
  readonly size?: number;
}

/** Finds boundaries. If it must (for quotes in CSV), it remembers the current unit from call to call. */
export interface Cutter {
  /**
   * Searches for the end of the unit that starts at or before `from`. Returns the offset after its boundary, or -1 if it
   * continues after `to`.
   */
  first(bytes: Buffer, from: number, to: number): number;
  /**
   * Searches for the last boundary before `to`, where a unit starts at `from`. Returns the offset after it, or -1 if there
   * is none. In that case it must not remember these bytes: `first` is called with them.
   */
  last(bytes: Buffer, from: number, to: number): number;
}

/** Cuts and decodes one object, once. All of it is synchronous. */
export interface ObjectDecoder<T> extends Cutter {
  /**
   * Parses `block`, the bytes that were cut last, and passes each record to `on`. `start` is the block's offset in the
   * (decompressed) object and `line` the 1-based number of its first line, for errors. A record that cannot be parsed
   * is passed to `malformed` instead, and parsing continues. Returns the number of lines in the block, 0 if the format has
   * no lines. An error that it throws ends the source: use a `MillraceError`.
   */
  decode(
    block: Buffer,
    start: number,
    line: number,
    on: (record: T) => void,
    malformed: (bad: Malformed) => void,
  ): number;
  /**
   * Approximate bytes of memory that it holds between blocks. The source reads ahead that much less. Default 0. Bytes that
   * are cut but not decoded yet belong to the source.
   */
  readonly held?: number;
  /**
   * The last unit is longer than `maxLineBytes`. It is malformed, and not passed to `decode`. Returns its number of
   * lines, as `decode` does. Default 1.
   */
  dropped?(): number;
  /**
   * The object is over, and no bytes follow its last boundary. Returns why it is not complete, which is reported as a malformed
   * record; `undefined` if it is. Without this method it is.
   */
  missing?(): string | undefined;
  /**
   * The state for a decoder that starts after everything decoded so far. JSON of at most 64 KiB. Called before every
   * block: it must be cheap, and its result must not be modified afterwards.
   */
  state?(): Json;
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
