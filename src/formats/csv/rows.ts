import { CsvCutter, endsRow, type LineEnd } from './cutter.js';
import type { Dialect } from './dialect.js';

const cr = 0x0d;

/** A row of a block, or a comment. */
export interface Row {
  /** Its bytes, without the line end. */
  readonly from: number;
  readonly to: number;
  /** The 0-based number of its first line in the block. */
  readonly line: number;
  readonly comment: boolean;
}

/** Finds the rows of a block, one after another. */
export class Rows {
  readonly #block: Buffer;
  readonly #dialect: Dialect;
  readonly #cutter: CsvCutter;
  #at = 0;
  #lines = 0;
  #index = -1;
  #row: Row | undefined;

  /** @param afterCr whether a CR ended the row before the block */
  constructor(block: Buffer, dialect: Dialect, lineEnd: LineEnd | undefined, afterCr: boolean) {
    this.#block = block;
    this.#dialect = dialect;
    this.#cutter = new CsvCutter(dialect, lineEnd, afterCr);
  }

  /** Lines of the rows so far. */
  get lines(): number {
    return this.#lines;
  }

  next(): Row | undefined {
    const block = this.#block;
    const from = this.#at;
    if (from >= block.length) return undefined;
    const end = this.#cutter.first(block, from, block.length);
    this.#at = end < 0 ? block.length : end;
    const row = {
      from,
      to: end < 0 ? withoutCr(block, from, block.length) : this.#bodyEnd(from, end),
      line: this.#lines,
      comment: this.#dialect.comment >= 0 && block[afterMark(block, from)] === this.#dialect.comment,
    };
    const ends = this.#cutter.takeLines();
    this.#lines += end < 0 && !endsRow(block.at(-1), this.#cutter.lineEnd) ? ends + 1 : ends;
    return row;
  }

  /** The row with this index, not counting comments. The index must not decrease from call to call. */
  at(index: number): Row {
    for (; this.#index < index; this.#index++) {
      do this.#row = this.next();
      while (this.#row?.comment === true);
    }
    if (this.#row === undefined) throw new RangeError(`There is no row ${index}.`);
    return this.#row;
  }

  #bodyEnd(from: number, end: number): number {
    return this.#cutter.lineEnd === 'cr' ? end - 1 : withoutCr(this.#block, from, end - 1);
  }
}

const withoutCr = (block: Buffer, from: number, to: number): number =>
  to > from && block[to - 1] === cr ? to - 1 : to;

/** The offset after byte order marks. */
function afterMark(block: Buffer, from: number): number {
  let at = from;
  while (block[at] === 0xef && block[at + 1] === 0xbb && block[at + 2] === 0xbf) at += 3;
  return at;
}
