export { createLocalStore, type LocalStoreOptions } from './localStore.js';
