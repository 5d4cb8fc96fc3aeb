export { localIdentities } from './identify.js';
export { createLocalStore, type LocalStoreOptions } from './localStore.js';
