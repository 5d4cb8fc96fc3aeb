import { Subscription, type SchedulerLike } from 'rxjs';

/** All that millrace knows of time. Injected, so that tests run everything in virtual time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `work` once, after `delay` milliseconds. Unsubscribing cancels it. */
  after(delay: number, work: () => void): Subscription;
  /** Runs `work` once, soon, after pending I/O has had its turn. Unsubscribing cancels it. */
  yield(work: () => void): Subscription;
}

/** The machine's clock. Timers keep the process alive only while something awaits them. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delay, work) {
    const timer = setTimeout(work, delay);
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

/** The time of an RxJS scheduler, such as `TestScheduler` or `VirtualTimeScheduler`. */
export function clockOf(scheduler: SchedulerLike): Clock {
  return {
    now: () => scheduler.now(),
    after: (delay, work) => scheduler.schedule(work, delay),
    yield: (work) => scheduler.schedule(work, 0),
  };
}
