/**
 * Checkpoints: one log of manifests per job, and the coordinator that writes it. `manifestLog.ts` describes the
 * protocol.
 */
export { accessError } from './accessError.js';
export type { Adoption, CheckpointWait, ClaimOptions, Coordinator } from './contract.js';
export { adoption, type AdoptOptions } from './savepoints/adopt.js';
export { claim } from './coordinator.js';
export { neverDurable, savepointFailed } from './errors.js';
export { dataKey, epochOf, rootsOf } from './dataPlace.js';
export type { CopyProgress } from './savepoints/copy.js';
export type { CheckpointEvent } from './events.js';
export { logNumber, references, type Manifest } from './manifest.js';
export { readNewest, type LogPlace } from './newest.js';
export { scopeOf } from './trust.js';
export type { Signing } from './signature.js';
export { decodeManifest, encodeManifest } from './manifestCodec.js';
export { readSavepoint, savepointPrefix } from './savepoints/read.js';
export { newSavepointName } from './savepoints/name.js';
export { savepointsIn, verifySavepoint, type StoredSavepoint } from './savepoints/stored.js';
export { planRemoval, removePlanned } from './savepoints/remove.js';
export { duplicateSavepoint } from './savepoints/duplicate.js';
export { savepointFromOutside } from './savepoints/outside.js';
export { corruptSavepoint } from './savepoints/root.js';
export { SavepointWriter, type SavepointContent } from './savepoints/write.js';
