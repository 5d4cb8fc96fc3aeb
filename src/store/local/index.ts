export { localInPlace } from './inPlace.js';
export { localIdentities } from './identities.js';
export { createLocalStore, type LocalStoreOptions } from './localStore.js';
