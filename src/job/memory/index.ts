export { MemoryBudget, type MemoryAccount } from './budget.js';
export { defaultMemory, processMemory } from './process.js';
