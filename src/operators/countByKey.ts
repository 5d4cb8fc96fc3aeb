import type { FlowOperator } from '../flow/index.js';
import { valueState, type Key } from '../state/index.js';
import { byKeyNames, checkByKey, stateOptions, type ByKeyOptions } from './keyed/byKeyOptions.js';
import { keyedRecords } from './keyed/keyedRecords.js';

/** What {@link countByKey} emits. */
export interface KeyCount<K extends Key> {
  readonly key: K;
  /** Records of the key so far, from 1. */
  readonly count: number;
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
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `InvalidState` immediately; those of `keyed` on start;
 * `UnsupportedKey`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const counts = visits.pipe(countByKey('visits-per-day', { key: (v) => ({ user: v.user, day: v.day }) }));
 * ```
 */
export function countByKey<A, K extends Key>(
  id: string,
  options: ByKeyOptions<A, K, number>,
): FlowOperator<A, KeyCount<K>> {
  checkByKey('countByKey', id, options, byKeyNames, ['key']);
  const { key, allowDropped, onUnencodable } = options;
  return keyedRecords({
    name: 'countByKey',
    id,
    key,
    state: { count: valueState(0, stateOptions(`countByKey('${id}')`, options)) },
    allowDropped,
    onUnencodable,
    onRecord: (_: A, { count }, key) => [{ key, count: count.update((n) => n + 1) }],
  });
}
