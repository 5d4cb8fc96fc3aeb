export { allowances, unlimited, type Allow, type Allowance } from './allowance.js';
export { MemoryBudget, type MemoryAccount } from './budget.js';
export { defaultMemory, processMemory } from './process.js';
