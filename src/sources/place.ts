import type { Json } from '../flow/index.js';
import type { Reader } from '../formats/reader.js';

/** Where a record is in the input, for errors of callbacks. */
export interface RecordPlace {
  /** URI of the object. */
  readonly object: string;
  /** Byte offset in the (decompressed) object. */
  readonly offset: number;
  /** 1-based, as in `DeadLetter`; absent where it is not known: in a split that is not the first of its object, or in a format that counts none. */
  readonly line?: number;
}

/** A block of whole records that was passed on. */
export interface HandedBlock {
  /** URI of the object. */
  readonly object: string;
  readonly bytes: Buffer;
  /** Offset of its first byte, and the number of its first line. */
  readonly start: number;
  readonly line: number;
  /** The decoder's state before it. */
  readonly state: Json | undefined;
}

/**
 * Locates the record with that index. Decoders do not report places, because most records cause no error: the block is
 * cut and decoded again, record by record.
 */
export function locate(
  format: Reader<unknown>,
  { object, bytes, start, line: first, state }: HandedBlock,
  index: number,
): { readonly offset: number; readonly line?: number } {
  const decoder = format.decoder({ object, offset: start, state });
  let line = first;
  let seen = 0;
  for (let at = 0; at < bytes.length;) {
    const next = decoder.first(bytes, at, bytes.length);
    const end = next < 0 ? bytes.length : next;
    const count = (): number => seen++;
    const ignore = (): void => undefined;
    let lines: number;
    try {
      lines = decoder.decode(bytes.subarray(at, end), start + at, line, count, ignore);
    } catch {
      // This is the record that cannot be decoded.
      return format.text === true ? { offset: start + at, line } : { offset: start + at };
    }
    if (seen > index) return lines > 0 ? { offset: start + at, line } : { offset: start + at };
    line += lines;
    at = end;
  }
  return { offset: start };
}
