/** The kinds of state. Each is one file, which exports a function that creates a `StateSpec`. */
import type { StateSpec } from '../state.js';
import { listState } from './listState.js';
import { mapState } from './mapState.js';
import type { KeyedStateOptions } from './options.js';
import { timers } from './timers.js';
import { valueState } from './valueState.js';

export { aggregatingState, type Aggregate, type AggregatingState } from './aggregatingState.js';
export { listState, type ListState } from './listState.js';
export { mapState, type MapState } from './mapState.js';
export {
  checkState,
  keyedStateNames,
  serializerOf,
  type KeyedStateOptions,
  type StateNameOptions,
} from './options.js';
export { reducingState, type ReducingState } from './reducingState.js';
export { hasTimers, timers, type PendingTimer, type Timers } from './timers.js';
export type { TtlOptions } from './ttl.js';
export { isSet, keysOf, valueState, type ValueState } from './valueState.js';

type Options = KeyedStateOptions<unknown>;

/** Reads stored state whose declaration is not at hand. Reductions and accumulators are read as values. */
const readers: Readonly<Record<string, (options: Options) => StateSpec<never>>> = {
  value: (options) => valueState<unknown>(null, options) as StateSpec<never>,
  reducing: (options) => valueState<unknown>(null, options) as StateSpec<never>,
  aggregating: (options) => valueState<unknown>(null, options) as StateSpec<never>,
  list: (options) => listState(options) as StateSpec<never>,
  map: (options) => mapState(options) as StateSpec<never>,
  'event-timers': () => timers('event') as StateSpec<never>,
  'processing-timers': () => timers('processing') as StateSpec<never>,
};

/** A declaration that reads stored state of a kind; `undefined` for unknown kinds. */
export function readerOf(kind: string, options: Options = {}): StateSpec<never> | undefined {
  return Object.hasOwn(readers, kind) ? readers[kind]?.(options) : undefined;
}
