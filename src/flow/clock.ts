import { Subscription, type SchedulerLike } from 'rxjs';

/** All that millrace knows of time. Injected, so that tests run everything in virtual time. */
export interface Clock {
  /** Milliseconds since the epoch: to be shown, or compared with other machines. It jumps when the system time is set. */
  now(): number;
  /** Milliseconds since some moment, which only ever grow: what durations are measured by. Default: `now`. */
  monotonic?(): number;
  /** Runs `work` once, after `delay` milliseconds. Unsubscribing cancels it. */
  after(delay: number, work: () => void): Subscription;
  /** Runs `work` once, soon, after pending I/O has had its turn. Unsubscribing cancels it. */
  yield(work: () => void): Subscription;
}

/** Node turns a longer delay into 1 ms. */
const longestTimer = 2 ** 31 - 1;

/** The machine's clock. Timers keep the process alive only while something awaits them. */
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

/** The reading of a clock that durations are measured with. */
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
