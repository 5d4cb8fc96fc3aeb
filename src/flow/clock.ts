import { Observable, Subscription, type SchedulerLike } from 'rxjs';

/** The only source of time. Injected, so that tests run in virtual time. */
export interface Clock {
  /**
   * Milliseconds since the epoch, for display and for comparison with other machines. Jumps when the system time is set.
   */
  now(): number;
  /** Milliseconds since an arbitrary moment; never decreases. For measuring durations. Default: `now`. */
  monotonic?(): number;
  /** Runs `work` once, after `delay` milliseconds. Unsubscribing cancels it. */
  after(delay: number, work: () => void): Subscription;
  /** Runs `work` once, after pending I/O events. Unsubscribing cancels it. */
  yield(work: () => void): Subscription;
}

/** Node turns a longer delay into 1 ms. */
const longestTimer = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, work) {
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      timer =
        left > longestTimer ? setTimeout(wait, longestTimer, left - longestTimer) : setTimeout(work, left);
    };
    wait(delay);
    return new Subscription(() => {
      clearTimeout(timer);
    });
  },
  yield(work) {
    const immediate = setImmediate(work);
    return new Subscription(() => {
      clearImmediate(immediate);
    });
  },
};

/** A clock reading for measuring durations. */
export function monotonic(clock: Pick<Clock, 'now' | 'monotonic'>): number {
  return clock.monotonic?.() ?? clock.now();
}

/** The time of an RxJS scheduler, such as `TestScheduler` or `VirtualTimeScheduler`. */
export function clockOf(scheduler: SchedulerLike): Clock {
  return {
    now: () => scheduler.now(),
    after: (delay, work) => scheduler.schedule(work, delay),
    yield: (work) => scheduler.schedule(work, 0),
  };
}

/** Completes after `delay` milliseconds. */
export function pause(clock: Clock, delay: number): Observable<never> {
  return new Observable((out) => clock.after(delay, () => out.complete()));
}
