import { isAscii, isUtf8 } from 'node:buffer';
import type { Cutter } from './reader.js';

/**
 * The common part of formats with one record per line: boundaries, and fast decoding of bytes into strings.
 *
 * A block is decoded in spans of at most 16 KiB that end at a newline: as Latin-1 if the span is ASCII, as UTF-8
 * otherwise. Each line is a slice of that string. A UTF-8 sequence never contains a newline byte, so lines of the string
 * are lines of the bytes. Their byte offsets are computed only on demand.
 */

const newline = 0x0a;
const carriageReturn = 0x0d;
const spanBytes = 16 * 1024;

/** Lines end at a newline. A carriage return before it is left to the parser. */
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

/** Lines of a block, from the byte at `from` to the byte before `to`, decoded together. */
export interface Span {
  readonly from: number;
  readonly to: number;
  /** The decoded string, with its line ends. If `undefined`, the bytes are not UTF-8, and the caller decodes line by line. */
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

/** Finds the bytes of lines in `block`, from one line to the next. */
export class LineBytes {
  readonly #block: Buffer;
  #line = 0;
  #from = 0;

  constructor(block: Buffer) {
    this.#block = block;
  }

  /** The bytes of a line, without its boundary. `line` is 0-based, and must not decrease from call to call. */
  at(line: number): { readonly from: number; readonly to: number } {
    const block = this.#block;
    for (; this.#line < line; this.#line++) this.#from = block.indexOf(newline, this.#from) + 1;
    let to = block.indexOf(newline, this.#from);
    if (to < 0) to = block.length;
    if (to > this.#from && block[to - 1] === carriageReturn) to--;
    return { from: this.#from, to };
  }
}
