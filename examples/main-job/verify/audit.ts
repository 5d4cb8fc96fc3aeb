/**
 * Compares the published records with the truth. For every user and day with N clicks the output must have the counts
 * 1 … N once each, on those N events once each, rising within every object, in the folder of their day.
 */
import type { Count } from './objects.js';
import type { Truth } from './truth.js';

export interface Verdict {
  readonly records: number;
  /** Clicks, or counts, that are not in the output. */
  readonly lost: number;
  /** Clicks, or counts, that are in the output more than once, or should not be there at all. */
  readonly duplicated: number;
  /** Records that come before a smaller count of their user and day in one object, or lie in the wrong folder. */
  readonly misplaced: number;
  /** Descriptions of the first few findings. */
  readonly findings: readonly string[];
}

export class Audit {
  readonly #truth: Truth;
  /** Where the counts of a pair start in {@link #counted}. */
  readonly #offsets: Float64Array;
  readonly #counted: Bits;
  readonly #seen: Bits;
  /** The object a pair was last seen in, and its count there. */
  readonly #lastObject: Uint32Array;
  readonly #lastCount: Uint32Array;
  readonly #findings: string[] = [];
  #object = 0;
  #records = 0;
  #events = 0;
  #counts = 0;
  #repeatedEvents = 0;
  #repeatedCounts = 0;
  #misplaced = 0;

  constructor(truth: Truth) {
    this.#truth = truth;
    this.#offsets = new Float64Array(truth.counts.length);
    let offset = 0;
    truth.counts.forEach((count, pair) => {
      this.#offsets[pair] = offset;
      offset += count;
    });
    this.#counted = new Bits(offset);
    this.#seen = new Bits(truth.lastId + 1);
    this.#lastObject = new Uint32Array(truth.counts.length);
    this.#lastCount = new Uint32Array(truth.counts.length);
  }

  /** Starts an object; the function given takes its records in order. */
  object(key: string): (record: Count) => void {
    const object = ++this.#object;
    return (record) => {
      this.#records++;
      const { id, user, day, clicks } = record;
      const pair = this.#truth.pairOf(id);
      if (pair < 0 || this.#truth.names[pair] !== `${user} ${day}`) {
        this.#repeatedEvents++;
        this.#note(`${key}: event ${id.toString()} is no click of ${user} on ${day}`);
        return;
      }
      if (this.#seen.add(id)) this.#events++;
      else {
        this.#repeatedEvents++;
        this.#note(`${key}: event ${id.toString()} again`);
      }
      const inRange = clicks >= 1 && clicks <= (this.#truth.counts[pair] ?? 0);
      if (inRange && this.#counted.add((this.#offsets[pair] ?? 0) + clicks - 1)) this.#counts++;
      else {
        this.#repeatedCounts++;
        this.#note(
          `${key}: count ${clicks.toString()} of ${user} on ${day} ${inRange ? 'again' : 'is beyond the clicks'}`,
        );
      }
      const rises = this.#lastObject[pair] !== object || clicks > (this.#lastCount[pair] ?? 0);
      this.#lastObject[pair] = object;
      this.#lastCount[pair] = clicks;
      if (!rises || !key.includes(`day=${day}/`)) {
        this.#misplaced++;
        this.#note(`${key}: count ${clicks.toString()} of ${user} on ${day} is out of place`);
      }
    };
  }

  verdict(): Verdict {
    const expected = this.#truth.clicks;
    return {
      records: this.#records,
      lost: Math.max(expected - this.#events, expected - this.#counts),
      duplicated: Math.max(this.#repeatedEvents, this.#repeatedCounts),
      misplaced: this.#misplaced,
      findings: this.#findings,
    };
  }

  #note(finding: string): void {
    if (this.#findings.length < 10) this.#findings.push(finding);
  }
}

/** A set of small integers. */
class Bits {
  readonly #words: Uint8Array;

  constructor(size: number) {
    this.#words = new Uint8Array((size + 7) >> 3);
  }

  /** Returns whether it was new. */
  add(n: number): boolean {
    const word = this.#words[n >> 3] ?? 0;
    const bit = 1 << (n & 7);
    this.#words[n >> 3] = word | bit;
    return (word & bit) === 0;
  }
}
