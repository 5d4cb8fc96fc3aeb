import type { Subscriber } from 'rxjs';
import { flowOperator, type End, type FlowOperator, type Signal } from '../flow/index.js';
import { keysOf, valueState, type StateSpec, type ValueState } from '../state/index.js';
import { checkByKey } from './keyed/byKeyOptions.js';
import { KeyedOperator } from './keyed/keyedOperator.js';
import { accumulateNames, type AccumulateOptions } from './scanByKey.js';

type States<R> = Readonly<Record<'accumulated', StateSpec<ValueState<R>>>>;

/** Emits nothing until `End`, then the accumulation of each key. */
class ReduceByKey<A, R> extends KeyedOperator<A, R, States<R>> {
  readonly #options: AccumulateOptions<A, R>;

  constructor(out: Subscriber<R | Signal>, id: string, options: AccumulateOptions<A, R>, state: States<R>) {
    super(out, { name: 'reduceByKey', id, state });
    this.#options = options;
  }

  override onRecord(record: A): void {
    const { key, accumulator } = this.#options;
    const { accumulated } = this.states;
    this.enter(key(record));
    accumulated.set(accumulator(accumulated.value, record));
    this.leave();
  }

  override onEnd(end: End): void {
    const { accumulated } = this.states;
    for (const key of keysOf(accumulated)) {
      this.enter(key);
      this.emit(accumulated.value);
      this.leave();
    }
    super.onEnd(end);
  }
}

/**
 * Accumulates the records of each key, and emits the last accumulation of each key when the input ends.
 *
 * Like RxJS `reduce` for each key, and restored after a crash. The order of the keys does not depend on that of their
 * records. A job that never ends, or is stopped before its end, emits nothing: use `scanByKey` there. The state is one
 * value per key.
 *
 * ```
 * in:   O-1-2-3-4-E------|
 *       reduceByKey('sums', { key: (n) => n % 2, accumulator: (sum, n) => sum + n, seed: 0 })
 * out:  O---------(64E)--|
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `UnsupportedValue` (the seed) immediately; those of
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
  const state: States<R> = { accumulated: valueState(options.seed) };
  return flowOperator<A, R>((out) => new ReduceByKey(out, id, options, state));
}
