import { Observable } from 'rxjs';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { decorate, type StoreCall } from './decorate.js';
import type { ObjectStore } from '../objectStore.js';

export interface DelayOptions {
  /** The delay before a request reaches the store. Milliseconds; 0 means none. */
  readonly before: (call: StoreCall) => number;
  readonly clock?: Clock;
}

const names: OptionNames<DelayOptions> = { before: true, clock: true };

/** Delays the requests of a store: latency for simulations and benches. */
export function delayed(store: ObjectStore, options: DelayOptions): ObjectStore {
  checkOptions('delayed', options, names);
  const { before, clock = systemClock } = options;
  return decorate(
    store,
    (call, run) =>
      new Observable((out) => {
        const delay = before(call);
        if (delay <= 0) return run.subscribe(out);
        return clock.after(delay, () => {
          out.add(run.subscribe(out));
        });
      }),
  );
}
