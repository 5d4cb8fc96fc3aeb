import type { Subscriber } from 'rxjs';
import { flowOperator, type FlowOperator, type Signal } from '../flow/index.js';
import { valueState, type Key } from '../state/index.js';
import { checkByKey, type ByKeyOptions } from './keyed/byKeyOptions.js';
import { KeyedOperator } from './keyed/keyedOperator.js';

/** What {@link countByKey} emits. */
export interface KeyCount<K extends Key> {
  readonly key: K;
  /** Records of the key so far, from 1. */
  readonly count: number;
}

const state = { count: valueState(0) };

class CountByKey<A, K extends Key> extends KeyedOperator<A, KeyCount<K>, typeof state> {
  readonly #key: (record: A) => K;

  constructor(out: Subscriber<KeyCount<K> | Signal>, id: string, key: (record: A) => K) {
    super(out, { name: 'countByKey', id, state });
    this.#key = key;
  }

  override onRecord(record: A): void {
    const { count } = this.states;
    const key = this.#key(record);
    this.enter(key);
    this.emit({ key, count: count.update((n) => n + 1) });
    this.leave();
  }
}

/**
 * Counts the records of each key, and emits each count with its key.
 *
 * The counts are restored after a crash. The state is one number per key.
 *
 * ```
 * in:   O-a-a-b-a----E-|
 *       countByKey('letters', { key: (letter) => letter })
 * out:  O-p-q-r-s----E-|    p = { key: 'a', count: 1 }, q = { key: 'a', count: 2 }, r = { key: 'b', count: 1 }, …
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption` immediately; those of `keyed` on start;
 * `UnsupportedKey`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const counts = visits.pipe(countByKey('visits-per-day', { key: (v) => ({ user: v.user, day: v.day }) }));
 * ```
 */
export function countByKey<A, K extends Key>(
  id: string,
  options: ByKeyOptions<A, K>,
): FlowOperator<A, KeyCount<K>> {
  checkByKey('countByKey', id, options, { key: true }, ['key']);
  return flowOperator<A, KeyCount<K>>((out) => new CountByKey(out, id, options.key));
}
