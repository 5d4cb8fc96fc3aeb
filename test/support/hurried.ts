import { monotonic, type Clock } from '../../src/flow/index.js';

/** A clock by which everything takes long: each reading a millisecond, and each yield, too. Work in slices ends after each step or two. */
export function hurried(clock: Clock): Clock {
  let read = 0;
  return {
    now: () => clock.now(),
    monotonic: () => monotonic(clock) + read++,
    after: (delay, work) => clock.after(delay, work),
    yield: (work) => clock.after(1, work),
  };
}
