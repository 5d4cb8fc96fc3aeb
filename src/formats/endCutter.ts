import type { Cutter } from './reader.js';

const lf = 0x0a;
const cr = 0x0d;

/** Cuts after each LF, CRLF or lone CR. */
export class AnyLineCutter implements Cutter {
  /** The line that `first` is in has ended, unless the next byte is the LF of a CRLF. */
  #afterCr = false;

  first(bytes: Buffer, from: number, to: number): number {
    if (this.#afterCr && from < to) {
      this.#afterCr = false;
      return bytes[from] === lf ? from + 1 : from;
    }
    for (let at = from; at < to; at++) {
      if (bytes[at] === lf) return at + 1;
      if (bytes[at] !== cr) continue;
      if (at + 1 < to) return bytes[at + 1] === lf ? at + 2 : at + 1;
      this.#afterCr = true;
    }
    return -1;
  }

  last(bytes: Buffer, from: number, to: number): number {
    // A CR that is the last byte may be one half of a CRLF.
    for (let at = to - 1; at >= from; at--)
      if (bytes[at] === lf || (bytes[at] === cr && at + 1 < to)) return at + 1;
    return -1;
  }
}

/** Cuts after each occurrence of a byte sequence. Occurrences do not overlap. */
export class SequenceCutter implements Cutter {
  readonly #end: Buffer;
  /** The last bytes of the unit that `first` is in: the sequence may have begun. */
  #before: Buffer = Buffer.alloc(0);

  constructor(end: Buffer) {
    this.#end = end;
  }

  first(bytes: Buffer, from: number, to: number): number {
    const before = this.#before;
    const joined = before.length === 0 ? undefined : Buffer.concat([before, bytes.subarray(from, to)]);
    const found = (joined ?? bytes.subarray(from, to)).indexOf(this.#end);
    if (found < 0) {
      const kept = joined ?? bytes.subarray(from, to);
      this.#before = Buffer.from(kept.subarray(Math.max(0, kept.length - this.#end.length + 1)));
      return -1;
    }
    this.#before = Buffer.alloc(0);
    return from + found + this.#end.length - before.length;
  }

  last(bytes: Buffer, from: number, to: number): number {
    const view = bytes.subarray(from, to);
    // From the start, because an occurrence found from the end may overlap an earlier one.
    let end = -1;
    for (let at = view.indexOf(this.#end); at >= 0; at = view.indexOf(this.#end, end))
      end = at + this.#end.length;
    return end < 0 ? -1 : from + end;
  }
}
