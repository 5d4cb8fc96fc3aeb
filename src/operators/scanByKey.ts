import type { OptionNames } from '../config/checkOptions.js';
import type { FlowOperator } from '../flow/index.js';
import { valueState, type Key } from '../state/index.js';
import {
  byKeyNames,
  checkByKey,
  stateOptions,
  synchronous,
  type ByKeyOptions,
} from './keyed/byKeyOptions.js';
import { keyedRecords } from './keyed/keyedRecords.js';

/** Options of {@link scanByKey} and {@link reduceByKey}. */
export interface AccumulateOptions<A, R> extends ByKeyOptions<A, Key, R> {
  /**
   * Combines the accumulation of the record's key with the record. Arrays and objects that it returned before are
   * frozen: return a changed copy.
   */
  readonly accumulator: (accumulated: R, record: A) => R;
  /** The accumulation of a key before its first record. Its type must stay the same from run to run. */
  readonly seed: R;
}

/**
 * Accumulates the records of each key, and emits each accumulation.
 *
 * Like RxJS `scan` for each key, and restored after a crash. The state is one value per key.
 *
 * ```
 * in:   O-1-2-3-4----E-|
 *       scanByKey('sums', { key: (n) => n % 2, accumulator: (sum, n) => sum + n, seed: 0 })
 * out:  O-1-2-4-6----E-|
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `InvalidState`, `UnsupportedValue` (the seed) immediately; those of
 * `keyed` on start; `UnsupportedKey`, `UnsupportedValue`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while
 * running.
 *
 * @example
 * ```ts
 * const perUser = visits.pipe(
 *   scanByKey('days', {
 *     key: (v) => v.user,
 *     accumulator: (days, v) => (days.includes(v.day) ? days : [...days, v.day]),
 *     seed: [] as readonly string[],
 *   }),
 * );
 * ```
 */
export function scanByKey<A, R>(id: string, options: AccumulateOptions<A, R>): FlowOperator<A, R> {
  checkByKey('scanByKey', id, options, accumulateNames, ['key', 'accumulator']);
  const of = `scanByKey('${id}')`;
  const { key, seed, allowDropped, onUnencodable } = options;
  const accumulator = synchronous(`accumulator of ${of}`, options.accumulator);
  return keyedRecords({
    name: 'scanByKey',
    id,
    key,
    state: { accumulated: valueState(seed, stateOptions(of, options)) },
    allowDropped,
    onUnencodable,
    onRecord: (record: A, { accumulated }) => [accumulated.update((before) => accumulator(before, record))],
  });
}

/** The names of {@link AccumulateOptions}. */
export const accumulateNames: OptionNames<AccumulateOptions<never, never>> = {
  ...byKeyNames,
  accumulator: true,
  seed: true,
};
