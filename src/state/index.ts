/**
 * State: what operators keep for each key.
 *
 * State consists of cells (`cells.ts`). A kind of state (`valueState`, `mapState`, …) defines its cells, keeps them in memory, and
 * freezes the changed ones at a barrier in O(1). The backend, which is independent of kinds, writes them as a
 * segment, an immutable object sorted by the cells' addresses, and the manifest refers to it. A restore reads the
 * segments.
 *
 * A kind is one file of `kinds/`, which exports a function that creates a `StateSpec` (`state.ts`).
 */
export { StateBackend } from './backend.js';
export { StateError, type StateErrorCode } from './errors.js';
export type { StateEvent } from './events.js';
export { namespaceOf } from './keyCells.js';
export { compareKeys, encodeKey, storedKey, userKey, type Key } from './keys.js';
export { maxStates } from './segmentFormat.js';
export type { Serializer } from './serializer.js';
export { isKeyedState, parseSnapshot } from './snapshot.js';
export type { DueTimer, Handles, StateSpec, StateSpecs, TimerQueue, TimerTime } from './state.js';
export type { StoredEntry } from './storedEntries.js';
export { StoredState } from './storedState.js';
export type { ContentsOf } from './contentsOf.js';
export {
  aggregatingState,
  hasTimers,
  keysOf,
  listState,
  mapState,
  reducingState,
  timers,
  valueState,
  type Aggregate,
  type AggregatingState,
  type ListState,
  type MapState,
  type PendingTimer,
  type ReducingState,
  type KeyedStateOptions,
  type StateNameOptions,
  type Timers,
  type TtlOptions,
  type ValueState,
} from './kinds/index.js';
