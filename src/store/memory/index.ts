import type { ObjectStore } from '../objectStore.js';
import { createMemoryStore } from './memoryStore.js';

export { createMemoryStore, type MemoryStoreOptions } from './memoryStore.js';

const named = new Map<string, ObjectStore>();

/** The memory store of `memory://name/…` in this process. It is empty at first. */
export function memoryStore(name: string): ObjectStore {
  let store = named.get(name);
  if (store === undefined) named.set(name, (store = createMemoryStore({ uri: `memory://${name}` })));
  return store;
}
