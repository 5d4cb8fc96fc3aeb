/**
 * State: what an operator remembers for every key.
 *
 * A state's kind (`valueState`) keeps its entries in a `Table`, where writing is an assignment and freezing a swap.
 * At a barrier the backend turns what was frozen into one segment, an immutable object sorted by
 * key group, and refers to it from the manifest. Restoring reads the segments back.
 */
export { StateBackend } from './backend.js';
export { StateError } from './errors.js';
export type { StateEvent } from './events.js';
export { storedKey, type Key } from './keys.js';
export { maxStates } from './segmentFormat.js';
export type { Serializer } from './serializer.js';
export type { Handles, StateSpec, StateSpecs } from './state.js';
export { valueState, type ValueState, type ValueStateOptions } from './valueState.js';
