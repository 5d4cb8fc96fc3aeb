import { Subscription } from 'rxjs';
import type { Clock } from '../../src/flow/index.js';

/** A clock on which the machine's milliseconds are twenty. */
const speed = 20;
export const fast: Clock = {
  now: () => performance.now() * speed,
  after: (delay, work) => {
    const timer = setTimeout(work, delay / speed);
    return new Subscription(() => clearTimeout(timer));
  },
  yield: (work) => {
    const immediate = setImmediate(work);
    return new Subscription(() => clearImmediate(immediate));
  },
};
