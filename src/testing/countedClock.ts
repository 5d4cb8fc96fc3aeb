import type { Subscription } from 'rxjs';
import type { Clock } from '../flow/index.js';

/** Wraps a clock. `timers` are its pending timers. */
export function countedClock(clock: Clock): { readonly clock: Clock; readonly timers: ReadonlySet<object> } {
  const timers = new Set<object>();
  const count = (start: (work: () => void) => Subscription, work: () => void): Subscription => {
    const timer = {};
    timers.add(timer);
    const running = start(() => {
      timers.delete(timer);
      work();
    });
    running.add(() => timers.delete(timer));
    return running;
  };
  return {
    timers,
    clock: {
      ...clock,
      now: () => clock.now(),
      after: (delay, work) => count((counting) => clock.after(delay, counting), work),
      yield: (work) => count((counting) => clock.yield(counting), work),
    },
  };
}
