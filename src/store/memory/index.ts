export { createMemoryStore, type MemoryStoreOptions } from './memoryStore.js';
