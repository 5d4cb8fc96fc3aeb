import type { FlowOperator } from '../flow/index.js';
import { valueState } from '../state/index.js';
import { checkByKey, type ByKeyOptions } from './keyed/byKeyOptions.js';
import { keyed } from './keyed.js';

/** Options of {@link latestByKey}. */
export interface LatestByKeyOptions<A> extends ByKeyOptions<A> {
  /**
   * Whether two records of a key are the same. Compare contents: after a restart, `previous` is another object than
   * the one that was emitted.
   */
  readonly comparator: (previous: A, current: A) => boolean;
}

/**
 * Emits the first record of each key, and each record that differs from the last one emitted for its key.
 *
 * Like RxJS `distinctUntilChanged` for each key, and restored after a crash. The state is the last record emitted for
 * each key, so records must be storable, as values of `valueState`, and are frozen when they are emitted.
 *
 * ```
 * in:   O-1-1-3-3-2--E-|
 *       latestByKey('changes', { key: (n) => n % 2, comparator: (previous, current) => previous === current })
 * out:  O-1---3---2--E-|
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption` immediately; those of `keyed` on start;
 * `UnsupportedKey`, `UnsupportedValue`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const changes = visits.pipe(
 *   latestByKey('kind', { key: (v) => v.user, comparator: (previous, current) => previous.kind === current.kind }),
 * );
 * ```
 */
export function latestByKey<A>(id: string, options: LatestByKeyOptions<A>): FlowOperator<A, A> {
  checkByKey('latestByKey', id, options, { key: true, comparator: true }, ['key', 'comparator']);
  const { key, comparator } = options;
  return keyed(id, {
    key,
    // In an array, as a record may be undefined.
    state: { latest: valueState<readonly A[]>([]) },
    onRecord: (record: A, { latest }) => {
      const previous = latest.value;
      if (previous.length > 0 && comparator(previous[0] as A, record)) return [];
      latest.set([record]);
      return [record];
    },
  });
}
