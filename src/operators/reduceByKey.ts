import type { End, FlowOperator } from '../flow/index.js';
import { isSet, keysOf, valueState, type Key, type StateSpec, type ValueState } from '../state/index.js';
import { checkByKey, stateOptions, synchronous } from './keyed/byKeyOptions.js';
import { KeyedRecords, keyedRecords, type KeyedRecordsOptions } from './keyed/keyedRecords.js';
import { accumulateNames, type AccumulateOptions } from './scanByKey.js';

type States<R> = Readonly<Record<'accumulated', StateSpec<ValueState<R>>>>;

/** Emits nothing until `End`, then the accumulation of each key. */
class ReduceByKey<A, R> extends KeyedRecords<A, Key, States<R>, R> {
  override onEnd(end: End): void {
    const { accumulated } = this.states;
    const keys = keysOf(accumulated);
    this.inSlices(
      () => {
        const next = keys.next();
        if (next.done === true) return false;
        for (const key of next.value) {
          this.enter(key);
          if (isSet(accumulated)) this.emit(accumulated.value);
          this.leave();
        }
        return true;
      },
      () => {
        super.onEnd(end);
      },
    );
  }
}

/**
 * Accumulates the records of each key, and emits the last accumulation of each key when the input ends.
 *
 * Like RxJS `reduce` for each key, and restored after a crash. The order of the keys does not depend on that of their
 * records. Many keys are emitted in slices, as terminals have room; barriers wait for all of them. A job that never ends, or
 * is stopped before its end, emits nothing: use `scanByKey` there. The state is one value per key.
 *
 * ```
 * in:   O-1-2-3-4-E------|
 *       reduceByKey('sums', { key: (n) => n % 2, accumulator: (sum, n) => sum + n, seed: 0 })
 * out:  O---------(64E)--|
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `InvalidState`, `UnsupportedValue` (the seed) immediately; those of
 * `keyed` on start; `UnsupportedKey`, `UnsupportedValue`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while
 * running.
 *
 * @example
 * ```ts
 * const latest = visits.pipe(
 *   reduceByKey('last-visit', {
 *     key: (v) => v.user,
 *     accumulator: (last, v) => ({ user: v.user, at: v.at > last.at ? v.at : last.at }),
 *     seed: { user: '', at: '' },
 *   }),
 * );
 * ```
 */
export function reduceByKey<A, R>(id: string, options: AccumulateOptions<A, R>): FlowOperator<A, R> {
  checkByKey('reduceByKey', id, options, accumulateNames, ['key', 'accumulator']);
  const of = `reduceByKey('${id}')`;
  const { key, seed, allowDropped, onUnencodable } = options;
  const accumulator = synchronous(`accumulator of ${of}`, options.accumulator);
  const checked: KeyedRecordsOptions<A, Key, States<R>, R> = {
    name: 'reduceByKey',
    id,
    key,
    state: { accumulated: valueState(seed, stateOptions(of, options)) },
    allowDropped,
    onUnencodable,
    onRecord: (record, { accumulated }) => {
      accumulated.set(accumulator(accumulated.value, record));
      return [];
    },
  };
  return keyedRecords(checked, (out) => new ReduceByKey(out, checked));
}
