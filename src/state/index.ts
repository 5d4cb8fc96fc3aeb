/**
 * State: what operators keep for each key.
 *
 * State consists of cells (`cells.ts`). A kind of state (`valueState`, `mapState`, …) defines its cells, keeps them in memory, and
 * freezes the changed ones at a barrier in O(1). The backend, which is independent of kinds, writes them as a
 * segment, an immutable object sorted by the cells' addresses, and the manifest refers to it. A restore reads the
 * segments.
 *
 * A kind is one file of `kinds/`, which exports a function that creates a `StateSpec` (`state.ts`).
 *
 * - `keys/`: encodings of keys, their groups, and maps by key
 * - `values/`: what state can hold, and how it is serialized
 * - `segment/`: the format of a segment, writing and reading one
 * - `runs/`: the segments of one freeze or merge: sorting, writing, uploading, merging
 * - `kinds/`: the kinds of state
 * - `backend/`: the state of an operator in one attempt, and its part of a manifest
 * - `stored/`: reading state from outside
 * - `layout/`: exporting and importing state
 *
 * Each of these folders imports only from those above it.
 */
export { StateBackend } from './backend/backend.js';
export { StateError, type StateErrorCode } from './errors.js';
export type { StateEvent } from './backend/events.js';
export { namespaceOf } from './stored/keyCells.js';
export { allKeyGroups, intersection, isSameRange, rangeText, type KeyGroupRange } from './keys/keyGroups.js';
export { compareKeys, encodeKey, keyUses, storedKey, userKey, type Key, type KeyUse } from './keys/keys.js';
export { checkKeyGroups, keyGroupOf, keyGroupRange, ownKeyGroups } from './keys/routing.js';
export { maxStates } from './segment/format.js';
export { notWhole } from './values/refusals.js';
export { encode as encodeValue, pack, Unstorable } from './values/isolate.js';
export { messagePack, unpackForeign, type Serializer } from './values/serializer.js';
export { partOfState } from './backend/rescaling.js';
export { isKeyedState, parseSnapshot } from './backend/snapshot.js';
export type { DueTimer, Handles, StateSpec, StateSpecs, TimerQueue, TimerTime } from './state.js';
export type { StoredEntry } from './stored/storedEntries.js';
export { StoredState } from './stored/storedState.js';
export type { ContentsOf } from './stored/contentsOf.js';
export {
  aggregatingState,
  checkState,
  hasTimers,
  isSet,
  keyedStateNames,
  keysOf,
  listState,
  mapState,
  reducingState,
  serializerOf,
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
