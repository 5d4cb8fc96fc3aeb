import type { OnUnencodable } from '../../flow/index.js';
import type { Handles, Key, StateSpecs } from '../../state/index.js';
import type { Timer } from './dueTimers.js';

/** Options of `keyed`. */
export interface KeyedOptions<A, K extends Key, S extends StateSpecs, B, C = never> {
  /** The key of a record. Equal keys share state: `1` and `'1'` differ, `{ a, b }` and `{ b, a }` do not. */
  readonly key: (record: A) => K;
  /** The states, by name. Names are part of checkpoints: keep them. */
  readonly state: S;
  /**
   * Names of states that are in earlier checkpoints and no longer in `state`. What they hold is dropped; without this,
   * the job fails on start. Default none.
   */
  readonly allowDropped?: readonly string[];
  /** Handles a record with the states of its key. Returns the records to emit, in order. */
  readonly onRecord: (record: A, states: Handles<S>) => Iterable<B>;
  /**
   * Handles a timer of a key with the states of the key: required if a state has timers, see `timers`. Returns the
   * records to emit, in order.
   */
  readonly onTimer?: (timer: Timer<K>, states: Handles<S>) => Iterable<C>;
  /**
   * What happens to a record whose key or values cannot be stored (`UnsupportedKey`, `UnsupportedValue`): the job
   * ends, or the record is skipped, including all that `onRecord` changed in states and returned. A timer is skipped in the same
   * way: it has fired, without an effect. To detect it in time, `skip` encodes every value when it is set. Default `'fail'`.
   */
  readonly onUnencodable?: OnUnencodable;
}
