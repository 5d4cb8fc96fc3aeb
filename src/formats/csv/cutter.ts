/**
 * Finds the ends of rows. A line end inside of quotes is part of a value, so the cutter reads bytes in order and always knows
 * whether it is inside of quotes:
 *
 *   row ──▶ field ──quote──▶ quoted ◀──quote──▶ closing
 *    │        └──other──▶ plain ◀───────other──────┘
 *    └──comment──▶ comment
 *
 * - row: at the start of a row, or after the byte order mark there.
 * - field: at the start of a value. Only here a quote opens.
 * - quoted: inside of quotes. - closing: after a quote in quotes, which closes them unless it is doubled.
 * - plain: anywhere else in a value, where quotes are ordinary characters. - comment: to the end of the line.
 *
 * A delimiter outside of quotes leads to field, and a line end to row. Rows end with LF or CRLF. If the first row of an object ends
 * with a lone CR, each CR and each LF ends a row, so that CRLF is a row and an empty one, which is skipped. It is one line.
 */
import type { Cutter } from '../reader.js';
import type { Dialect } from './dialect.js';

export type LineEnd = 'lf' | 'cr';

const lf = 0x0a;
const cr = 0x0d;
const space = 0x20;
const tab = 0x09;
const mark = [0xef, 0xbb, 0xbf] as const;

const atRow = 0;
const atMark1 = 1;
const atMark2 = 2;
const atField = 3;
const inQuotes = 4;
const closing = 5;
const inPlain = 6;
const inComment = 7;
/** After a CR, and no row has ended before. */
const firstCr = 8;

export const endsRow = (byte: number | undefined, lineEnd: LineEnd | undefined): boolean =>
  byte === lf || (byte === cr && lineEnd === 'cr');

export class CsvCutter implements Cutter {
  /** The kind of line end; `undefined` before the first row has ended. */
  lineEnd: LineEnd | undefined;
  /** Whether rows are to be cut one by one. */
  single = false;
  /** With lone CRs as line ends: whether LFs have also ended rows since it was set. `undefined`: nothing was cut. */
  lfEnds: boolean | undefined;
  #dialect: Dialect;
  #at: number = atRow;
  /** The byte before those that `first` sees next. */
  #previous: number;
  #lines = 0;

  /** @param afterCr whether the byte before is a CR that ended a row */
  constructor(dialect: Dialect, lineEnd: LineEnd | undefined, afterCr = false) {
    this.#dialect = dialect;
    this.lineEnd = lineEnd;
    this.#previous = afterCr ? cr : 0;
  }

  /** Whether a CR ended the row that `first` has found. */
  get afterCr(): boolean {
    return this.lineEnd === 'cr' && this.#previous === cr;
  }

  set dialect(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Takes the number of line ends in the rows that `first` has read since the last call. */
  takeLines(): number {
    const lines = this.#lines;
    this.#lines = 0;
    return lines;
  }

  first(bytes: Buffer, from: number, to: number): number {
    const end = this.#scan(bytes, from, to, true);
    const read = end < 0 ? to : end;
    let previous = this.#previous;
    for (let at = from; at < read; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === lf ? this.lineEnd !== 'cr' || previous !== cr : endsRow(byte, this.lineEnd)) this.#lines++;
      previous = byte;
    }
    this.#previous = previous;
    return end;
  }

  last(bytes: Buffer, from: number, to: number): number {
    const { quote } = this.#dialect;
    if (this.lineEnd !== undefined && !this.single) {
      const view = bytes.subarray(from, to);
      if (quote < 0 || !view.includes(quote)) {
        if (this.lineEnd === 'cr') this.lfEnds = (this.lfEnds ?? false) || view.includes(lf);
        const at = Math.max(view.lastIndexOf(lf), this.lineEnd === 'cr' ? view.lastIndexOf(cr) : -1);
        return at < 0 ? -1 : from + at + 1;
      }
    }
    const end = this.#scan(bytes, from, to, this.lineEnd === undefined || this.single);
    this.#at = atRow;
    return end;
  }

  /** The end of the first row, or of the last one, that ends before `to`. -1: there is none. */
  #scan(bytes: Buffer, from: number, to: number, one: boolean): number {
    const { delimiter, quote, escape, comment, trim } = this.#dialect;
    const ends = this.lineEnd === 'cr' ? cr : lf;
    const unknown = this.lineEnd === undefined;
    const doubled = escape === quote;
    let state = this.#at;
    let lfEnds = this.lfEnds ?? false;
    let end = -1;
    let at = from;
    while (at < to) {
      switch (state) {
        case inQuotes:
          while (at < to && bytes[at] !== quote) at++;
          if (at === to) continue;
          // With an escape character of its own, a quote after it is part of the value.
          if (doubled || (at > from ? bytes[at - 1] : this.#previous) !== escape) state = closing;
          at++;
          continue;
        case closing:
          state = inPlain;
          if (doubled && bytes[at] === quote) {
            state = inQuotes;
            at++;
          }
          continue;
        case firstCr:
          this.lineEnd = bytes[at] === lf ? 'lf' : 'cr';
          this.#at = atRow;
          return bytes[at] === lf ? at + 1 : at;
        case atRow:
          if (bytes[at] === mark[0]) {
            state = atMark1;
            at++;
            continue;
          }
          state = bytes[at] === comment ? inComment : atField;
          continue;
        case atMark1:
        case atMark2: {
          const first = state === atMark1;
          if (bytes[at] !== mark[first ? 1 : 2]) state = inPlain;
          else {
            state = first ? atMark2 : atRow;
            at++;
          }
          continue;
        }
        case atField:
          if (bytes[at] === quote) {
            state = inQuotes;
            at++;
            continue;
          }
          if (trim && (bytes[at] === space || bytes[at] === tab)) {
            at++;
            continue;
          }
          state = inPlain;
          break;
        case inPlain:
        case inComment:
          break;
      }
      // Plain or comment.
      for (; at < to; at++) {
        const byte = bytes[at];
        if (byte === lf || byte === ends) {
          lfEnds ||= byte === lf;
          end = ++at;
          state = atRow;
          break;
        }
        if (byte === delimiter && state === inPlain) {
          at++;
          state = atField;
          break;
        }
        if (unknown && byte === cr) {
          at++;
          state = firstCr;
          break;
        }
      }
      if (one && state === atRow && end === at) {
        this.lineEnd ??= 'lf';
        this.#at = atRow;
        this.lfEnds = lfEnds;
        return end;
      }
    }
    this.#at = state;
    this.lfEnds = lfEnds;
    return end;
  }
}
