import { totalmem } from 'node:os';
import { systemClock, type Clock } from '../../flow/index.js';
import { MemoryBudget } from './budget.js';

/** Jobs on one clock are in one process. Simulated processes have their own clocks and memory. */
const budgets = new WeakMap<Clock, MemoryBudget>();

/** The budget that all jobs of the process share. */
export function processMemory(clock: Clock): MemoryBudget {
  let budget = budgets.get(clock);
  if (budget === undefined) budgets.set(clock, (budget = new MemoryBudget()));
  return budget;
}

/** Half of the memory of the machine or container. A simulation must not depend on the machine: no limit. */
export function defaultMemory(clock: Clock): number {
  if (clock !== systemClock) return Infinity;
  // 0 or beyond the machine's where no limit is set.
  const constrained = process.constrainedMemory();
  return Math.floor(Math.min(totalmem(), constrained > 0 ? constrained : Infinity) / 2);
}
