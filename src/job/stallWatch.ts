import { Subscription } from 'rxjs';
import { monotonic, type Clock } from '../flow/index.js';
import { resumed, stalled, type StallEvent, type Wait } from './stalls.js';

export interface StallWatchOptions {
  readonly job: string;
  readonly clock: Clock;
  /** `undefined`: no wait is reported. */
  readonly afterMs: number | undefined;
  /** What the job is waiting for. */
  readonly waits: () => readonly Wait[];
  readonly report: (event: StallEvent) => void;
}

/**
 * Reports each wait that lasts too long, once, and its end.
 *
 * Call `nudge` when a wait may have begun or ended. A timer runs only while there is a wait that has not been
 * reported, so a job that makes progress rarely sets one, and a stuck job sets none. Repeated stalls of one waiter
 * are reported at growing intervals: its time limit doubles each time.
 */
export class StallWatch {
  readonly #options: StallWatchOptions;
  readonly #reported = new Map<string, Wait>();
  /** The next time limit of each reported waiter. */
  readonly #patience = new Map<string, number>();
  #timer = Subscription.EMPTY;
  #timerAt = Infinity;
  #closed = false;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#closed = options.afterMs === undefined;
  }

  /** A wait may have begun or ended. Cheap. */
  nudge(): void {
    const { clock, afterMs = Infinity } = this.#options;
    if (this.#closed) return;
    if (this.#reported.size === 0 && this.#timerAt - monotonic(clock) <= afterMs) return;
    this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#timer.unsubscribe();
  }

  #look(): void {
    const { clock, job, waits, report, afterMs = Infinity } = this.#options;
    const now = monotonic(clock);
    const current = waits();
    for (const [who, wait] of this.#reported) {
      if (current.some((each) => each.who === who && each.since === wait.since)) continue;
      this.#reported.delete(who);
      report(resumed(job, wait.waiting, Math.round(now - wait.since)));
    }
    let next = Infinity;
    for (const wait of current) {
      if (this.#closed) return;
      if (this.#reported.has(wait.who)) continue;
      const patience = this.#patience.get(wait.who) ?? afterMs;
      const due = wait.since + patience;
      if (due > now) {
        next = Math.min(next, due);
        continue;
      }
      this.#reported.set(wait.who, wait);
      this.#patience.set(wait.who, 2 * patience);
      report(stalled(job, wait.waiting, Math.round(now - wait.since)));
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
        // Handle what arrived while the process was busy first.
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
