import type { FlowOperator } from '../flow/index.js';
import { valueState, type Key, type TtlOptions } from '../state/index.js';
import { byKeyNames, checkByKey, stateOptions, type ByKeyOptions } from './keyed/byKeyOptions.js';
import { keyedRecords } from './keyed/keyedRecords.js';

/** Options of {@link distinctByKey}. */
export interface DistinctByKeyOptions<A> extends ByKeyOptions<A, Key, boolean> {
  /** How long a key is remembered: the next record after that is emitted. Default: as long as the job exists. */
  readonly ttl?: TtlOptions;
}

/**
 * Emits the first record of each key.
 *
 * Like RxJS `distinct`, and restored after a crash. The state has an entry for each key seen, or with `ttl`, for each
 * key that has not expired.
 *
 * ```
 * in:   O-1-2-3-4----E-|
 *       distinctByKey('parities', { key: (n) => n % 2 })
 * out:  O-1-2--------E-|
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `InvalidState` immediately; those of `keyed` on start;
 * `UnsupportedKey`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const firstOfDay = visits.pipe(distinctByKey('first-of-day', { key: (v) => [v.user, v.day], ttl: { after: '1d' } }));
 * ```
 */
export function distinctByKey<A>(id: string, options: DistinctByKeyOptions<A>): FlowOperator<A, A> {
  checkByKey('distinctByKey', id, options, byKeyNames, ['key']);
  const { key, allowDropped, onUnencodable } = options;
  return keyedRecords({
    name: 'distinctByKey',
    id,
    key,
    state: { seen: valueState(false, stateOptions(`distinctByKey('${id}')`, options)) },
    allowDropped,
    onUnencodable,
    onRecord: (record: A, { seen }) => {
      if (seen.value) return [];
      seen.set(true);
      return [record];
    },
  });
}
