import { totalmem } from 'node:os';
import { systemClock, type Clock } from '../../flow/index.js';
import { MemoryBudget } from './budget.js';

/** Jobs with the same clock are in one process. Simulated processes have their own clocks, and so their own memory. */
const budgets = new WeakMap<Clock, MemoryBudget>();

/** The budget that all jobs of the process share. */
export function processMemory(clock: Clock): MemoryBudget {
  let budget = budgets.get(clock);
  if (budget === undefined) budgets.set(clock, (budget = new MemoryBudget()));
  return budget;
}

/** Half of the memory of the machine or container. Simulations have no limit, as they must not depend on the machine. */
export function defaultMemory(clock: Clock): number {
  if (clock !== systemClock) return Infinity;
  // Without a limit, 0 or more than the machine has.
  const constrained = process.constrainedMemory();
  return Math.floor(Math.min(totalmem(), constrained > 0 ? constrained : Infinity) / 2);
}
