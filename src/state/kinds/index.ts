/** The kinds of state. Each is one file, which exports a function that creates a `StateSpec`. */
import type { StateSpec } from '../state.js';
import { listState } from './listState.js';
import { mapState } from './mapState.js';
import { timers } from './timers.js';
import { valueState } from './valueState.js';

export { aggregatingState, type Aggregate, type AggregatingState } from './aggregatingState.js';
export { listState, type ListState } from './listState.js';
export { mapState, type MapState } from './mapState.js';
export type { KeyedStateOptions, StateNameOptions } from './options.js';
export { reducingState, type ReducingState } from './reducingState.js';
export { hasTimers, timers, type PendingTimer, type Timers } from './timers.js';
export type { TtlOptions } from './ttl.js';
export { keysOf, valueState, type ValueState } from './valueState.js';

/** Reads stored state whose declaration is not at hand. Reductions and accumulators are read as values. */
const readers: Readonly<Record<string, () => StateSpec<never>>> = {
  value: () => valueState<unknown>(null) as StateSpec<never>,
  reducing: () => valueState<unknown>(null) as StateSpec<never>,
  aggregating: () => valueState<unknown>(null) as StateSpec<never>,
  list: () => listState() as StateSpec<never>,
  map: () => mapState() as StateSpec<never>,
  'event-timers': () => timers('event') as StateSpec<never>,
  'processing-timers': () => timers('processing') as StateSpec<never>,
};

/** A declaration that reads stored state of a kind, with the default serializer; `undefined` for unknown kinds. */
export function readerOf(kind: string): StateSpec<never> | undefined {
  return Object.hasOwn(readers, kind) ? readers[kind]?.() : undefined;
}
