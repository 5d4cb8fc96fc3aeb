/**
 * Checkpoints: one log of manifests per job, and the coordinator that writes it. `manifestLog.ts` describes the
 * protocol.
 */
export { accessError } from './accessError.js';
export type { CheckpointWait, ClaimOptions, Coordinator } from './contract.js';
export { adoption } from './savepoints/adopt.js';
export { claim } from './coordinator.js';
export { neverDurable, savepointFailed } from './errors.js';
export { dataKey } from './dataPlace.js';
export type { CheckpointEvent } from './events.js';
export type { Manifest } from './manifest.js';
export { readNewest, type LogPlace } from './newest.js';
export { scopeOf } from './trust.js';
export type { Signing } from './signature.js';
export { decodeManifest, encodeManifest } from './manifestCodec.js';
export { readSavepoint, savepointPrefix } from './savepoints/read.js';
