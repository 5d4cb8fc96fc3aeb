/**
 * Detects a reader that is polled endlessly without progress, so that a defect ends the job instead of using up its CPU.
 *
 * A slow store does not count, as a waiting reader is not polled. Data that arrives out of order causes a few
 * fruitless polls for each request in flight. So only very many consecutive polls in a short time are a loop.
 */
import { monotonic, type Clock, type Json } from '../flow/index.js';

/** Consecutive polls without a result that are a loop. */
const manyPolls = 200_000;
/** Polls before the position is compared, which costs more than counting. */
const fewPolls = 1000;
/** A reader that is occasionally woken without data also reaches `manyPolls`, but not within this time. */
const loopMillis = 10 * 60_000;

export class EndlessPolls {
  readonly #clock: Clock;
  readonly #position: () => Json;
  #idle = 0;
  #since = 0;
  #at: string | undefined;

  constructor(clock: Clock, position: () => Json) {
    this.#clock = clock;
    this.#position = position;
  }

  /** A poll has returned something. */
  made(): void {
    this.#idle = 0;
  }

  /** A poll has returned nothing. Returns the number of such polls if the reader is in a loop. */
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
