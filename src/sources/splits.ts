/**
 * Splits: ranges of one large object that are read at the same time, each as an ordered stream of its own.
 *
 * A cut at byte `c` may be anywhere in a record. What decides is the **border** of `c`: the first place after byte `c` where a record
 * begins, or the end of the object if there is none. The border of 0 is 0. A split `[begin, end)` has exactly the bytes from the border
 * of `begin` to the border of `end`.
 *
 * So a split owns the records that begin after `begin` and not after `end`; the first one also that at byte 0. A border depends on
 * the object and the cut alone, not on who looks for it, and it grows with the cut. Therefore, whatever the cuts, splits whose ranges
 * follow each other from 0 to the size of the object have each record exactly once, whole:
 *
 * - A record that begins exactly at a cut belongs to the split before it. The split after it cannot know whether its first byte
 *   begins a record without the bytes before it, and need not.
 * - A cut within a delimiter (between CR and LF): the border is after the delimiter. A search for a delimiter of several bytes begins
 *   `before` bytes ahead of the cut, so that it finds one that lies across it. A format can be split only if its delimiters are found so from
 *   any byte (`Splitting` in `formats/reader.ts`).
 * - A record that is longer than several splits belongs to the one that it begins in, or at whose end it begins. Those within
 *   it have no records: the borders of both of their ends are the same.
 * - A byte order mark and the last record without a delimiter are parts of records as everywhere else.
 *
 * A reader of a split
 *
 * 1. **seeks** the border of `begin`, from `before` bytes ahead of it, and drops what is before the border. The first split, and one that is
 *    resumed after a record, begin with a record and seek nothing. If no record begins up to `end`, it is over;
 * 2. passes bytes on, and from `before` bytes ahead of `end` **watches** for the border of `end`. It is beyond `end`, so bytes after the range
 *    are fetched: few in advance, and more when they are needed;
 * 3. is over at that border, or at the end of the object.
 *
 * Both searches have a cutter of their own, which has seen no byte before: so what it finds does not depend on where reading began.
 *
 * Objects are cut from their start to their end, as splits are needed, and splits are opened in this order (`splitObjects.ts`). At any
 * time, the splits that are not over are therefore some that are open, and one **rest**, from a byte to the end of the object, of which
 * nothing is open. A position needs no more than that, however many splits an object has. A split that is open keeps its range when it is
 * resumed, since records up to its place are read. The rest is cut anew: with another size, or not at all.
 */
import { readsGroups, type GroupReader } from '../formats/groupReader.js';
import type { Cutter, Reader, Splitting } from '../formats/reader.js';

/** Bytes `begin` to `end` of an object, end exclusive. */
export interface SplitRange {
  readonly begin: number;
  readonly end: number;
}

/** What is read of an object in one piece. */
export interface Split extends SplitRange {
  /** The bytes before a cut that a search for its border begins with. */
  readonly before: number;
}

/** How objects of this format are split; `undefined` if they have to be read from their start. */
export const splittingOf = (format: Reader<unknown> | GroupReader<unknown>): Splitting | undefined =>
  readsGroups(format) || format.isState !== undefined ? undefined : format.splitting;

/** The end of the next split: splits have the same size, at most `size` bytes. `at`: where it begins to read. */
export function nextEnd(at: number, end: number, size: number): number {
  const left = end - at;
  return at + Math.ceil(left / Math.max(1, Math.ceil(left / size)));
}

/** Bytes after its range that a split fetches in advance: enough for most records. A small part of the range. */
const mostAhead = 16 * 1024;

/** Up to where a split is fetched in advance. `size`: of the object. */
export const fetchedEnd = ({ begin, end }: SplitRange, size: number): number =>
  Math.min(size, end + Math.min(mostAhead, Math.ceil((end - begin) / 16)));

/** Where reading a split begins. `offset`: that of the next record if some were read, or else `begin`. */
export const fetchedStart = ({ begin, before }: Split, offset: number): number =>
  offset > begin ? offset : Math.max(0, begin - before);

/** Picks the bytes of a split out of those from `fetchedStart` on, as they arrive. */
export class SplitScanner {
  readonly #split: Split;
  readonly #begins: Cutter;
  readonly #ends: Cutter;
  /** The offset of the next byte. */
  #at: number;
  #start: number | undefined;
  #over = false;

  /**
   * @param offset that of the next record if some were read, or else `begin`
   * @param cutter makes a cutter of the format
   */
  constructor(split: Split, offset: number, cutter: () => Cutter) {
    this.#split = split;
    this.#begins = cutter();
    this.#ends = cutter();
    this.#at = fetchedStart(split, offset);
    if (offset > split.begin || split.begin === 0) this.#start = this.#at;
  }

  /** The offset of the first byte that it passes on; `undefined` until it is found. */
  get start(): number | undefined {
    return this.#start;
  }

  /** Whether it has passed everything on. */
  get over(): boolean {
    return this.#over;
  }

  /** The bytes of `chunk` that belong to the split. Not after it is over. */
  take(chunk: Buffer): Buffer {
    const { before, end } = this.#split;
    const at = this.#at;
    this.#at += chunk.length;
    let from = 0;
    if (this.#start === undefined) {
      const found = this.#begins.first(chunk, 0, chunk.length);
      // A record that begins at `end` is known with the byte after it.
      this.#over = found < 0 ? this.#at > end : at + found > end;
      if (found < 0 || this.#over) return nothing;
      this.#start = at + found;
      from = found;
    }
    const watched = Math.max(from, end - before - at);
    const border = watched < chunk.length ? this.#ends.first(chunk, watched, chunk.length) : -1;
    if (border < 0) return chunk.subarray(from);
    this.#over = true;
    return chunk.subarray(from, border);
  }
}

const nothing = Buffer.alloc(0);
