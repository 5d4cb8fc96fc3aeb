/**
 * The reading half of a format. A reader opens a decoder for each object, at its start or at a position; the decoder sees the
 * bytes of that object once, in order:
 *
 * 1. The source asks for boundaries (`last`, `first`) in bytes as they arrive, and cuts them into blocks without copying. A
 *    block holds whole units. A unit is a record, or several that can only be decoded together (a compressed block of a
 *    container). What an object ends with is its last unit, whole or not.
 * 2. Each block goes to `decode` before the next one is cut.
 * 3. After each block, `state` is what a later decoder needs to continue there. Lines need nothing; a CSV needs its
 *    header, a format with a dictionary its entries.
 *
 * The source knows where in the object a block lies and tells the decoder, which names the place of what it cannot parse.
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
   * The content is UTF-8 text: an object that is known to be something else (a Parquet file, UTF-16, compressed twice) is
   * refused before any of it is decoded. Default `false`: any bytes.
   */
  readonly text?: boolean;
  /** Opens a decoder for one object. */
  decoder(start: ObjectStart): ObjectDecoder<T>;
  /**
   * Whether `state` is one of its decoders': positions come from a store, and are checked before they are used. Required where
   * decoders have a `state`.
   */
  isState?(state: unknown): boolean;
}

/** Where a decoder starts. */
export interface ObjectStart {
  /** In the (decompressed) object; 0 at its start. Bytes. */
  readonly offset: number;
  /** What {@link ObjectDecoder.state} returned here. `undefined` at the start of an object, and for decoders without state. */
  readonly state: Json | undefined;
}

/** Finds boundaries. One that needs to (quotes in CSV) remembers the unit it is in from call to call. */
export interface Cutter {
  /**
   * Looks on from `from`, inside a unit or at its start, for the end of that unit: the offset after its boundary, or -1
   * if it continues after `to`.
   */
  first(bytes: Buffer, from: number, to: number): number;
  /**
   * From the start of a unit at `from`, the offset after the last boundary before `to`. -1 if there is none, and then
   * nothing may be remembered of these bytes: `first` sees them again.
   */
  last(bytes: Buffer, from: number, to: number): number;
}

/** Cuts and decodes one object, once. All of it is synchronous. */
export interface ObjectDecoder<T> extends Cutter {
  /**
   * Parses `block`, the bytes that were cut last, and hands each record to `on`. `start` is the block's offset in the
   * (decompressed) object and `line` the 1-based number of its first line, for errors. A record that cannot be parsed
   * goes to `malformed` instead; parsing continues. Returns the number of lines in the block; 0 if the format has none.
   * An error that it throws ends the source: use a `MillraceError`.
   */
  decode(
    block: Buffer,
    start: number,
    line: number,
    on: (record: T) => void,
    malformed: (bad: Malformed) => void,
  ): number;
  /**
   * Bytes of memory that it holds between blocks, about. The source reads so much less ahead. Default 0: what is cut and not
   * decoded yet is the source's.
   */
  readonly held?: number;
  /** The unit that was cut last was longer than `maxLineBytes`. It is malformed and counts as one line; `decode` does not see it. */
  dropped?(): void;
  /**
   * The state for a decoder that starts after everything decoded so far. JSON of at most 64 KiB. Called before every
   * block: it must be cheap, and its result must not change afterwards.
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
