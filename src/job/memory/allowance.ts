import type { Allow, Clock, MemoryShare } from '../../flow/index.js';
import type { MemoryBudget } from './budget.js';
import { defaultMemory, processMemory } from './process.js';

/** Allowances of the budget of all that runs on this clock. `total`: as configured; by default as for jobs. */
export function allowances(clock: Clock, total: () => number | undefined): Allow {
  return allowancesOf(processMemory(clock), () => total() ?? defaultMemory(clock));
}

/**
 * Allowances of a budget. The floor of each is a fixed charge, and only the rest is a share, so it never waits: a job may
 * wait for it, as when `mapAsync` reads an object, and could not give memory back meanwhile.
 */
export function allowancesOf(budget: MemoryBudget, total: () => number): Allow {
  return ({ who, floor, most, changed }) => {
    const account = budget.open({
      owner: who,
      total: total(),
      waits: () => undefined,
      granted: () => undefined,
      exceeded: () => undefined,
    });
    account.start();
    const charge = account.charge();
    const shared = Math.max(0, most - floor);
    const share: MemoryShare = account.share({ who, least: 0, most: shared, changed });
    return {
      get limit() {
        return floor + share.limit;
      },
      holds: (bytes) => {
        // Beyond the most there is only what the floor cannot be without, such as a single larger part.
        charge.set(Math.min(bytes, floor) + Math.max(0, bytes - floor - shared));
        share.holds(Math.max(0, bytes - floor));
      },
      leave: () => {
        account.close();
      },
    };
  };
}
