/**
 * Notices a reader that is polled for ever and gets nowhere, so that a defect ends the job instead of burning its CPU.
 *
 * A slow store is no reason: a reader that waits is not polled. It is polled in vain when data arrives out of order, a few
 * times for each request under way. So only a great many polls in a row, in a short time, are a loop.
 */
import { monotonic, type Clock, type Json } from '../flow/index.js';

/** Polls in a row that give nothing. */
const manyPolls = 200_000;
/** Polls before the position is looked at, which costs more than counting. */
const fewPolls = 1000;
/** A reader that is woken in vain now and then reaches `manyPolls` too, but not in this time. */
const loopMillis = 10 * 60_000;

export class Progress {
  readonly #clock: Clock;
  readonly #position: () => Json;
  #idle = 0;
  #since = 0;
  #at: string | undefined;

  constructor(clock: Clock, position: () => Json) {
    this.#clock = clock;
    this.#position = position;
  }

  /** Something is handed over. */
  made(): void {
    this.#idle = 0;
  }

  /** A poll is over, and nothing came of it since the last `made`. The number of such polls if the reader is in a loop. */
  missed(): number | undefined {
    this.#idle++;
    if (this.#idle === fewPolls) {
      this.#since = monotonic(this.#clock);
      this.#at = JSON.stringify(this.#position());
    }
    if (this.#idle < manyPolls) return undefined;
    const loop =
      monotonic(this.#clock) - this.#since < loopMillis && JSON.stringify(this.#position()) === this.#at;
    this.#idle = 0;
    return loop ? manyPolls : undefined;
  }
}
