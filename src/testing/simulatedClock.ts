import { Subscription } from 'rxjs';
import type { Clock } from '../flow/index.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  /** Replaced when cancelled. */
  work: () => void;
}

/**
 * A clock that a test advances timer by timer. Whole jobs on memory stores run on it deterministically and without
 * delay. Timers due at the same time run in the order in which they were set.
 */
export class SimulatedClock implements Clock {
  #now: number;
  #wall = 0;
  #order = 0;
  /** A binary heap by time, then order. */
  readonly #timers: Timer[] = [];

  /** @param start milliseconds since the epoch */
  constructor(start = 0) {
    this.#now = start;
  }

  now(): number {
    return this.#now + this.#wall;
  }

  monotonic(): number {
    return this.#now;
  }

  /** Sets the time of `now`, as an administrator or NTP does. Timers and `monotonic` are not affected. */
  setTime(now: number): void {
    this.#wall = now - this.#now;
  }

  after(delay: number, work: () => void): Subscription {
    const timer: Timer = { at: this.#now + Math.max(0, delay), order: this.#order++, work };
    this.#push(timer);
    return new Subscription(() => {
      timer.work = idle;
    });
  }

  yield(work: () => void): Subscription {
    return this.after(0, work);
  }

  /** Runs the next timer. Returns `false` if there is none. */
  step(): boolean {
    for (;;) {
      const timer = this.#pop();
      if (timer === undefined) return false;
      if (timer.work === idle) continue;
      this.#now = Math.max(this.#now, timer.at);
      timer.work();
      return true;
    }
  }

  /** Runs timers until `done` returns `true` or none is left. Returns whether it is done. */
  run(done: () => boolean = () => false): boolean {
    while (!done()) if (!this.step()) return done();
    return true;
  }

  /** Advances by `duration` milliseconds: runs the timers that are due by then. */
  advance(duration: number): void {
    const until = this.#now + duration;
    this.run(() => {
      const next = this.#next();
      return next === undefined || next.at > until;
    });
    this.#now = until;
  }

  /** The timer that is due next. Drops cancelled ones before it. */
  #next(): Timer | undefined {
    while (this.#timers[0]?.work === idle) this.#pop();
    return this.#timers[0];
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(timer, heap[parent] as Timer)) break;
      heap[index] = heap[parent] as Timer;
      index = parent;
    }
    heap[index] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#timers;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer)) child++;
      if (!before(heap[child] as Timer, last)) break;
      heap[index] = heap[child] as Timer;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

const idle = (): void => undefined;

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
