import { Subscription, type Unsubscribable } from 'rxjs';
import type { Clock } from '../../flow/index.js';
import type { DueTimers } from './dueTimers.js';

/**
 * Wakes an operator when the earliest of its processing timers is due. Nothing fires before the attempt runs, or after
 * its last barrier: no checkpoint would include it.
 */
export class ClockTimers implements Unsubscribable {
  readonly due: DueTimers;
  readonly #clock: Clock;
  readonly #wake: () => void;
  #waiting = Subscription.EMPTY;
  /** The time that it waits for; `Infinity` if it does not. */
  #at = Infinity;
  #active = false;

  constructor(due: DueTimers, clock: Clock, wake: () => void) {
    this.due = due;
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Whether timers may fire. */
  get active(): boolean {
    return this.#active;
  }

  /** The attempt runs. */
  start(): void {
    this.#active = this.due.exist;
    this.schedule();
  }

  /** Call it after every turn: the earliest timer may have changed. */
  schedule(): void {
    if (!this.#active) return;
    const { next } = this.due;
    if (next === this.#at) return;
    this.#waiting.unsubscribe();
    this.#at = next;
    if (next === Infinity) return;
    this.#waiting = this.#clock.after(Math.max(0, next - this.#clock.now()), () => {
      // The clock may have been set back meanwhile: then it waits again.
      this.#at = Infinity;
      this.#wake();
    });
  }

  unsubscribe(): void {
    this.#active = false;
    this.#waiting.unsubscribe();
  }
}
