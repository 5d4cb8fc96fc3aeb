import { checkId } from '../config/checkId.js';
import type { FlowOperator } from '../flow/index.js';
import { valueState } from '../state/index.js';
import { checkFunction } from './keyed/byKeyOptions.js';
import { keyed } from './keyed.js';

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
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `UnsupportedValue` (the seed) immediately; those of
 * `keyed` on start; `UnsupportedValue`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @param accumulator combines the accumulation with a record; arrays and objects that it returned before are frozen:
 * return a changed copy
 * @param seed the accumulation before the first record; its type must stay the same from run to run
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
): FlowOperator<A, R> {
  checkId('the id of scanState', id);
  checkFunction(`the accumulator of scanState('${id}')`, accumulator);
  return keyed(id, {
    key: () => null,
    state: { accumulated: valueState(seed) },
    onRecord: (record: A, { accumulated }) => [accumulated.update((before) => accumulator(before, record))],
  });
}
