import { createStores, retrying, type ObjectStore, type Stores } from 'millrace/stores';
import { faulty, type SimulatedClock } from 'millrace/testing';

/** Stores where one request in ten fails. Half of those have no effect; the others take effect, and the answer is lost. */
export function flakyStores(lake: ObjectStore, random: () => number, clock: SimulatedClock): Stores {
  return createStores({
    clock,
    schemes: { memory: () => lake },
    around: (store) => retrying(faulty(store, { random, before: 0.05, after: 0.05, clock }), { clock }),
  });
}
