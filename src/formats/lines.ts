import { isAscii, isUtf8 } from 'node:buffer';
import type { Cutter } from './reader.js';

/**
 * What the formats of one record a line share: boundaries, and the quickest way from a block of bytes to strings.
 *
 * A block is decoded in spans of at most 16 KiB that end at a newline: as Latin-1 where the span is ASCII, as
 * UTF-8 where it is not, and then one string slice a line. A newline byte never lies inside a UTF-8 sequence, so
 * lines of the text are lines of the bytes; their byte offsets are worked out only when somebody asks.
 */

const newline = 0x0a;
const carriageReturn = 0x0d;
const spanBytes = 16 * 1024;

/** Lines end at a newline; whether a carriage return comes before it is the parser's business. */
export const lineCutter: Cutter = {
  first(bytes, from, to) {
    const at = bytes.subarray(from, to).indexOf(newline);
    return at < 0 ? -1 : from + at + 1;
  },
  last(bytes, from, to) {
    const at = bytes.subarray(from, to).lastIndexOf(newline);
    return at < 0 ? -1 : from + at + 1;
  },
};

/** Lines whose bytes are in `block` from `from`, up to `to`, decoded together. */
export interface Span {
  readonly from: number;
  readonly to: number;
  /** The text with all its line ends; `undefined` if the bytes are not UTF-8, for the caller to go line by line. */
  readonly text: string | undefined;
  readonly ascii: boolean;
}

/** Whether the line at `at` starts with a byte order mark. */
export function startsWithMark(text: string, at: number): boolean {
  return text.charCodeAt(at) === 0xfeff;
}

/** The next span of `block` at `from`, which must be before its end. */
export function nextSpan(block: Buffer, from: number): Span {
  let to = block.length;
  if (to - from > spanBytes) {
    const before = lineCutter.last(block, from, from + spanBytes);
    const cut = before < 0 ? lineCutter.first(block, from + spanBytes, block.length) : before;
    if (cut >= 0) to = cut;
  }
  const bytes = block.subarray(from, to);
  if (isAscii(bytes)) return { from, to, text: block.toString('latin1', from, to), ascii: true };
  return { from, to, text: isUtf8(bytes) ? block.toString('utf8', from, to) : undefined, ascii: false };
}

/** Walks forward over the lines of `block` to name the bytes of one of them. Cheap for lines that come in order. */
export class LineBytes {
  readonly #block: Buffer;
  #line = 0;
  #from = 0;

  constructor(block: Buffer) {
    this.#block = block;
  }

  /** The bytes of line `line` (0-based, never before the last one asked for), without its boundary. */
  at(line: number): { readonly from: number; readonly to: number } {
    const block = this.#block;
    for (; this.#line < line; this.#line++) this.#from = block.indexOf(newline, this.#from) + 1;
    let to = block.indexOf(newline, this.#from);
    if (to < 0) to = block.length;
    if (to > this.#from && block[to - 1] === carriageReturn) to--;
    return { from: this.#from, to };
  }
}
