import { checkId } from '../config/checkId.js';
import { checkFunction, checkOptions } from '../config/checkOptions.js';
import type { FlowOperator } from '../flow/index.js';
import { valueState, type Key } from '../state/index.js';
import { byKeyStateNames, stateOptions, synchronous, type ByKeyOptions } from './keyed/byKeyOptions.js';
import { keyedRecords } from './keyed/keyedRecords.js';

/** Options of {@link scanState}: those of operators by key, without `key`. */
export type ScanStateOptions<R> = Omit<ByKeyOptions<never, Key, R>, 'key'>;

/**
 * Accumulates all records, and emits each accumulation.
 *
 * Like RxJS `scan`, and restored after a crash, as `records(scan(…))` is not. Use `scanByKey` for one accumulation per
 * key.
 *
 * ```
 * in:   O-1-2-3-4----E-|
 *       scanState('sum', (sum, n) => sum + n, 0)
 * out:  O-1-3-6-X----E-|    X = 10
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `InvalidState`, `UnsupportedValue` (the seed) immediately; those of
 * `keyed` on start, and `KeyOutsideRange` in a job with `keyGroups`; `UnsupportedValue`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @param accumulator combines the accumulation with a record; arrays and objects that it returned before are frozen:
 * return a changed copy
 * @param seed the accumulation before the first record; its type must stay the same from run to run
 * @param options how the accumulation is stored, and for how long
 *
 * @example
 * ```ts
 * const total = visits.pipe(scanState('total', (count) => count + 1, 0));
 * ```
 */
export function scanState<A, R>(
  id: string,
  accumulator: (accumulated: R, record: A) => R,
  seed: R,
  options: ScanStateOptions<R> = {},
): FlowOperator<A, R> {
  checkId('the id of scanState', id);
  const of = `scanState('${id}')`;
  checkFunction(`the accumulator of ${of}`, accumulator);
  checkOptions(of, options, byKeyStateNames);
  const { allowDropped, onUnencodable } = options;
  const accumulate = synchronous(`accumulator of ${of}`, accumulator);
  return keyedRecords({
    name: 'scanState',
    id,
    key: () => null,
    whole: true,
    state: { accumulated: valueState(seed, stateOptions(of, options)) },
    allowDropped,
    onUnencodable,
    onRecord: (record: A, { accumulated }) => [accumulated.update((before) => accumulate(before, record))],
  });
}
