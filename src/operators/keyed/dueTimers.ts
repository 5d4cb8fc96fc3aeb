import type { DueTimer, Key, TimerQueue, TimerTime } from '../../state/index.js';
import { userKey } from '../../state/index.js';

/** A timer that is due. */
export interface Timer<K extends Key = Key> {
  /** The name of the state that it was set in. */
  readonly state: string;
  readonly key: K;
  /** The time that it was set for, in milliseconds since the epoch. */
  readonly at: number;
  readonly namespace: Key | undefined;
}

/** The timers of an operator that go by the same time, over all its states. */
export class DueTimers {
  readonly #queues: readonly (readonly [state: string, timers: TimerQueue])[];

  constructor(all: readonly (readonly [state: string, timers: TimerQueue])[], time: TimerTime) {
    this.#queues = all.filter(([, timers]) => timers.time === time);
  }

  get exist(): boolean {
    return this.#queues.length > 0;
  }

  /** The time of the earliest timer; `Infinity` if there is none. */
  get next(): number {
    let next = Infinity;
    for (const [, timers] of this.#queues) next = Math.min(next, timers.next);
    return next;
  }

  /** The time of the latest timer; `-Infinity` if there is none. */
  get last(): number {
    return Math.max(...this.#queues.map(([, { last }]) => last));
  }

  /** Removes the earliest timer that is due at `now`. */
  take(now: number): { readonly key: DueTimer['key']; readonly timer: Timer } | undefined {
    const { next } = this;
    if (next > now) return undefined;
    const found = this.#queues.find(([, timers]) => timers.next === next);
    if (found === undefined) return undefined;
    const [state, timers] = found;
    const { key, at, namespace } = timers.take();
    return { key, timer: { state, key: userKey(key), at, namespace } };
  }
}
