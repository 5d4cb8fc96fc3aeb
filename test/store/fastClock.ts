import { systemClock, type Clock } from '../../src/flow/index.js';

/** The machine's clock, on which its milliseconds are twenty. */
const speed = 20;
export const fast: Clock = {
  ...systemClock,
  now: () => performance.now() * speed,
  monotonic: () => performance.now() * speed,
  after: (delay, work) => systemClock.after(delay / speed, work),
};
