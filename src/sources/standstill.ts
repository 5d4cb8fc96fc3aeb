import { monotonic, type Clock } from '../flow/index.js';

/** A wait of a source. */
export interface SourceWait {
  /** The request that it waits for; `undefined`: it waits for credit. */
  readonly input: string | undefined;
  /** When it last made progress, or began to wait for this. By the monotonic clock. */
  readonly since: number;
}

/** Tracks since when a source has been waiting for one thing without progress. */
export class Standstill {
  readonly #clock: Clock;
  #input: string | undefined;
  #progress: number | undefined;
  #since = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The source does not wait, or only for data that does not exist yet. */
  over(): void {
    this.#progress = undefined;
  }

  /**
   * The source waits for `input`, or without one for credit.
   *
   * @param progress a number that changes when the source makes progress
   */
  waits(input: string | undefined, progress: number): SourceWait {
    if (this.#progress !== progress || this.#input !== input) {
      this.#input = input;
      this.#progress = progress;
      this.#since = monotonic(this.#clock);
    }
    return { input, since: this.#since };
  }
}
