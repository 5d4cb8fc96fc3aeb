import { Subscription } from 'rxjs';
import { monotonic, type Clock } from '../flow/index.js';

/**
 * When periodic barriers are due: every `interval`, but not while a checkpoint is unfinished (that turn is skipped), and
 * not before `minPause` has gone by since the last one ended (that turn waits).
 */
export class Triggers {
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #minPause: number;
  readonly #busy: () => boolean;
  readonly #fire: () => void;
  readonly #timer = new Subscription();
  #endedAt = -Infinity;

  constructor(clock: Clock, interval: number, minPause: number, busy: () => boolean, fire: () => void) {
    this.#clock = clock;
    this.#interval = interval;
    this.#minPause = minPause;
    this.#busy = busy;
    this.#fire = fire;
  }

  start(): void {
    this.#schedule(this.#interval);
  }

  /** A checkpoint became durable or failed. */
  ended(): void {
    this.#endedAt = monotonic(this.#clock);
  }

  stop(): void {
    this.#timer.unsubscribe();
  }

  #schedule(delay: number): void {
    if (this.#timer.closed) return;
    const timer: Subscription = this.#clock.after(delay, () => {
      this.#timer.remove(timer);
      this.#due();
    });
    this.#timer.add(timer);
  }

  #due(): void {
    if (this.#busy()) {
      this.#schedule(this.#interval);
      return;
    }
    const pause = this.#endedAt + this.#minPause - monotonic(this.#clock);
    if (pause > 0) {
      this.#schedule(pause);
      return;
    }
    this.#schedule(this.#interval);
    this.#fire();
  }
}
