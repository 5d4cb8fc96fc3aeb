import type { FlowOperator } from '../flow/index.js';
import { valueState } from '../state/index.js';
import { checkByKey, type ByKeyOptions } from './keyed/byKeyOptions.js';
import { keyed } from './keyed.js';

/**
 * Emits the first record of each key.
 *
 * Like RxJS `distinct`, and restored after a crash. The state has an entry for each key ever seen.
 *
 * ```
 * in:   O-1-2-3-4----E-|
 *       distinctByKey('parities', { key: (n) => n % 2 })
 * out:  O-1-2--------E-|
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption` immediately; those of `keyed` on start;
 * `UnsupportedKey`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const firstOfDay = visits.pipe(distinctByKey('first-of-day', { key: (v) => [v.user, v.day] }));
 * ```
 */
export function distinctByKey<A>(id: string, options: ByKeyOptions<A>): FlowOperator<A, A> {
  checkByKey('distinctByKey', id, options, { key: true }, ['key']);
  return keyed(id, {
    key: options.key,
    state: { seen: valueState(false) },
    onRecord: (record: A, { seen }) => {
      if (seen.value) return [];
      seen.set(true);
      return [record];
    },
  });
}
