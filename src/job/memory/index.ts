export { unlimited, type Allow, type Allowance } from '../../flow/index.js';
export { allowances, allowancesOf } from './allowance.js';
export { MemoryBudget, type MemoryAccount } from './budget.js';
export { defaultMemory, processMemory } from './process.js';
