/** The environment of simulated processes: clocks and stores. */
import { map } from 'rxjs';
import { createStores, probe, retrying, type Stores } from 'millrace/stores';
import type { Clock } from 'millrace/operators';
import type { SimulatedClock } from 'millrace/testing';
import { minimumPartSize } from './pipeline.js';
import type { SimulatedProcess } from './process.js';

export interface Surroundings {
  readonly clock: Clock;
  readonly random: () => number;
  readonly stores: Stores;
}

/** The clock of a process, and its stores, which retry. */
export function surroundingsOf(process: SimulatedProcess, random: () => number): Surroundings {
  const { clock } = process;
  const store = retrying(process.store, { clock, random, base: 5, throttledBase: 5 });
  const stores = createStores({
    schemes: { memory: () => store },
    // Of a store in memory as of any other, so that this is cut short as everything else is.
    capabilities: () =>
      probe(store, 'checkpoints/', random).pipe(map((found) => ({ ...found, minimumPartSize }))),
    clock,
  });
  return { clock, random, stores };
}

/** A clock whose time is another one, up to an hour away, each time that it is asked. Durations are right. */
export function jumping(clock: Clock, random: () => number): Clock {
  return {
    now: () => clock.now() + Math.floor((random() - 0.5) * 7_200_000),
    monotonic: () => clock.monotonic?.() ?? clock.now(),
    after: (delay, work) => clock.after(delay, work),
    yield: (work) => clock.yield(work),
  };
}

/** Time limit in milliseconds of virtual time. */
const patience = 3_600_000;

/** Advances the clock until `done`. Throws at the time limit. */
export function turnUntil(clock: SimulatedClock, done: () => boolean): void {
  const end = clock.now() + patience;
  while (!done()) {
    if (!clock.step()) throw new Error('The job stands still: no timer is left, and it is not over.');
    if (clock.now() > end) throw new Error('The job does not come to an end.');
  }
}
