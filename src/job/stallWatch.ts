import { Subscription } from 'rxjs';
import { monotonic, type Clock } from '../flow/index.js';
import { resumed, stalled, type StallEvent, type Wait } from './stalls.js';

export interface StallWatchOptions {
  readonly job: string;
  readonly clock: Clock;
  /** `undefined`: nothing is watched. */
  readonly afterMs: number | undefined;
  /** What the job waits for right now. */
  readonly waits: () => readonly Wait[];
  readonly tell: (event: StallEvent) => void;
}

/**
 * Tells of each wait that lasts too long, once, and of its end.
 *
 * It is nudged where a wait may have begun or ended. A timer runs only while something waits that has not been told, so
 * a job that moves on sets one now and then, and one that is stuck sets none. Who stalls again and again is told of at
 * growing intervals: the time that it may wait doubles.
 */
export class StallWatch {
  readonly #options: StallWatchOptions;
  readonly #told = new Map<string, Wait>();
  /** Who has been told of, and how long it may wait next time. */
  readonly #patience = new Map<string, number>();
  #timer = Subscription.EMPTY;
  #timerAt = Infinity;
  #closed = false;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#closed = options.afterMs === undefined;
  }

  /** Something may have begun to wait, or may have got on. Cheap. */
  nudge(): void {
    const { clock, afterMs = Infinity } = this.#options;
    if (this.#closed) return;
    if (this.#told.size === 0 && this.#timerAt - monotonic(clock) <= afterMs) return;
    this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#timer.unsubscribe();
  }

  #look(): void {
    const { clock, job, waits, tell, afterMs = Infinity } = this.#options;
    const now = monotonic(clock);
    const current = waits();
    for (const [who, wait] of this.#told) {
      if (current.some((each) => each.who === who && each.since === wait.since)) continue;
      this.#told.delete(who);
      tell(resumed(job, wait.waiting, Math.round(now - wait.since)));
    }
    let next = Infinity;
    for (const wait of current) {
      if (this.#closed) return;
      if (this.#told.has(wait.who)) continue;
      const patience = this.#patience.get(wait.who) ?? afterMs;
      const due = wait.since + patience;
      if (due > now) {
        next = Math.min(next, due);
        continue;
      }
      this.#told.set(wait.who, wait);
      this.#patience.set(wait.who, 2 * patience);
      tell(stalled(job, wait.waiting, Math.round(now - wait.since)));
    }
    this.#schedule(next, now);
  }

  #schedule(at: number, now: number): void {
    if (this.#closed || at >= this.#timerAt) return;
    this.#timer.unsubscribe();
    this.#timerAt = at;
    const { clock } = this.#options;
    const timer = new Subscription();
    this.#timer = timer;
    timer.add(
      clock.after(at - now, () => {
        // What has arrived while the process was busy is taken in first.
        timer.add(
          clock.yield(() => {
            this.#timerAt = Infinity;
            this.#look();
          }),
        );
      }),
    );
  }
}
