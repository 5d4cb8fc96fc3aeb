/**
 * Stores: a small port ({@link ObjectStore}), its adapters over memory, a directory and S3, decorators for what is not
 * a store's own business (retry, faults, delay, counting), and the gateway, which serves any store over the S3 protocol.
 */
export { counting, type CountingStore, type StoreCounts } from './decorators/counting.js';
export { decorate, type Around, type StoreCall, type StoreMethod } from './decorators/decorate.js';
export { delayed, type DelayOptions } from './decorators/delay.js';
export { isStoreError, StoreError, type StoreErrorCode, type StoreErrorOptions } from './errors.js';
export { crashAt, faulty, type FaultOptions, type MortalStore } from './decorators/faults.js';
export * from './gateway/index.js';
export { join, listAll } from './helpers.js';
export { listPages } from './pages.js';
export { createLocalStore, type LocalStoreOptions } from './local/index.js';
export { createMemoryStore, memoryStore, type MemoryStoreOptions } from './memory/index.js';
export * from './objectStore.js';
export {
  requestChannels,
  type RequestEnd,
  type RequestError,
  type RequestRetry,
  type RequestStart,
  type StoreRequest,
} from './observe/channels.js';
export { observed, type ObserveOptions } from './observe/observed.js';
export { openStores, type OpenedStores, type OpenStoresOptions } from './open.js';
export { inspectServer, type Finding, type FindingName, type ServerReport } from './inspect.js';
export { probe } from './probe.js';
export { awsCapabilities, createStores, type StoresOptions } from './registry.js';
export { retrying, type RetryOptions } from './decorators/retry.js';
export * from './s3/index.js';
export * from './services.js';
