/**
 * State: what an operator remembers for every key.
 *
 * State is made of cells (`cells.ts`). A kind of state (`valueState`) decides which cells it has, keeps them in memory, and says
 * at a barrier which of them changed; freezing is O(1). The backend, which knows no kind, turns these into a segment, an
 * immutable object sorted by the cells' addresses, and refers to it from the manifest. Restoring reads the segments back.
 *
 * A kind is one file that exports a function which makes a `StateSpec` (`state.ts`).
 */
export { StateBackend } from './backend.js';
export { StateError, type StateErrorCode } from './errors.js';
export type { StateEvent } from './events.js';
export { storedKey, type Key } from './keys.js';
export { maxStates } from './segmentFormat.js';
export type { Serializer } from './serializer.js';
export type { Handles, StateSpec, StateSpecs } from './state.js';
export { valueState, type ValueState, type ValueStateOptions } from './valueState.js';
