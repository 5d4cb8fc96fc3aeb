import type { Subscriber } from 'rxjs';
import { MillraceError } from '../errors.js';
import { checkId } from '../config/checkId.js';
import { checkOptions, oneOf, required, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import {
  flowOperator,
  SkippedRecords,
  type FlowOperator,
  type OnUnencodable,
  type Open,
  type Signal,
} from '../flow/index.js';
import { deferredInFlow, isDeferred } from '../flow/deferred.js';
import { typeName } from '../formats/typeName.js';
import { hasTimers, StateError, type Handles, type Key, type StateSpecs } from '../state/index.js';
import type { Timer } from './keyed/dueTimers.js';
import { checkDropped, checkStates, KeyedOperator } from './keyed/keyedOperator.js';

/** Options of {@link keyed}. */
export interface KeyedOptions<A, K extends Key, S extends StateSpecs, B, C = never> {
  /** The key of a record. Equal keys share state: `1` and `'1'` differ, `{ a, b }` and `{ b, a }` do not. */
  readonly key: (record: A) => K;
  /** The states, by name. Names are part of checkpoints: keep them. */
  readonly state: S;
  /**
   * Names of states that are in earlier checkpoints and no longer in `state`. What they hold is dropped; without this,
   * the job fails on start. Default none.
   */
  readonly allowDropped?: readonly string[];
  /** Handles a record with the states of its key. Returns the records to emit, in order. */
  readonly onRecord: (record: A, states: Handles<S>) => Iterable<B>;
  /**
   * Handles a timer of a key with the states of the key: required if a state has timers, see `timers`. Returns the
   * records to emit, in order.
   */
  readonly onTimer?: (timer: Timer<K>, states: Handles<S>) => Iterable<C>;
  /**
   * What happens to a record whose key or values cannot be stored (`UnsupportedKey`, `UnsupportedValue`): the job
   * ends, or the record is skipped, including all that `onRecord` changed in states and returned. To detect it in
   * time, `skip` encodes every value when it is set. Default `'fail'`.
   */
  readonly onUnencodable?: OnUnencodable;
}

/** Calls `onRecord` with the states of a record's key. */
class Keyed<A, K extends Key, S extends StateSpecs, B, C> extends KeyedOperator<A, B | C, S> {
  readonly #key: (record: A) => K;
  readonly #onRecord: (record: A, states: Handles<S>) => Iterable<B>;
  readonly #onTimer: KeyedOptions<A, K, S, B, C>['onTimer'];
  readonly #skipping: boolean;
  #skipped!: SkippedRecords;

  constructor(out: Subscriber<B | C | Signal>, id: string, options: KeyedOptions<A, K, S, B, C>) {
    const skipping = options.onUnencodable === 'skip';
    super(out, {
      name: 'keyed',
      id,
      state: options.state,
      allowDropped: options.allowDropped,
      early: skipping,
    });
    this.#key = options.key;
    this.#onRecord = options.onRecord;
    this.#onTimer = options.onTimer;
    this.#skipping = skipping;
  }

  override onOpen(open: Open): void {
    this.#skipped = new SkippedRecords(this.id, open.attempt);
    super.onOpen(open);
  }

  override onRecord(record: A): void {
    const states = this.states;
    if (this.#skipping) {
      this.#tryRecord(record, states);
      return;
    }
    this.enter(this.#key(record));
    const results = this.#onRecord(record, states);
    // Callers may be JavaScript; an async callback is the most common mistake.
    if (!isIterable(results)) throw notIterable('onRecord', this.id, results);
    this.#emitAll('onRecord', results);
    this.leave();
  }

  protected override onTimer(timer: Timer): void {
    const results = this.#onTimer?.(timer as Timer<K>, this.states);
    if (!isIterable(results)) throw notIterable('onTimer', this.id, results);
    this.#emitAll('onTimer', results);
  }

  /** Like `onRecord`, but a record that cannot be stored has no effect. */
  #tryRecord(record: A, states: Handles<S>): void {
    let results: readonly B[];
    try {
      this.enter(this.#key(record));
      this.remember();
      const returned = this.#onRecord(record, states);
      if (!isIterable(returned)) throw notIterable('onRecord', this.id, returned);
      results = [...returned];
    } catch (error) {
      if (!isUnencodable(error)) throw error;
      this.undo();
      this.leave();
      this.#skipped.skip(error);
      return;
    }
    this.forget();
    this.#emitAll('onRecord', results);
    this.leave();
  }

  #emitAll(callback: Callback, results: Iterable<B | C>): void {
    for (const value of results) {
      if (isDeferred(value)) throw deferredInFlow(`${callback} of keyed('${this.id}') returned`, value);
      this.emit(value);
    }
  }
}

function isUnencodable(error: unknown): boolean {
  return error instanceof StateError && ['UnsupportedKey', 'UnsupportedValue'].includes(error.code);
}

/** A string is not meant as an iterable of its characters. */
function isIterable<B>(results: Iterable<B> | undefined): results is Iterable<B> {
  return (
    typeof (results as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function' &&
    typeof results !== 'string'
  );
}

type Callback = 'onRecord' | 'onTimer';

function notIterable(callback: Callback, id: string, results: unknown): MillraceError {
  if (isDeferred(results)) return deferredInFlow(`${callback} of keyed('${id}') returned`, results);
  return new MillraceError(
    'NotIterable',
    `${callback} of keyed('${id}') returned a value of type ${typeName(results)}. Return the records to send down as an array or another synchronous Iterable, [] for none.`,
  );
}

/**
 * Handles records with state per key that survives crashes.
 *
 * `onRecord` and `onTimer` run for one record or timer at a time, in order, and synchronously. A checkpoint contains
 * exactly the changes made before its barrier. An error that they throw ends the flow.
 *
 * `id` names the state in checkpoints: it must be unique within the job, and stay the same to keep the state. Errors:
 * `InvalidOption`, `InvalidState` immediately; `DuplicateId`, `StateSchemaMismatch`, `SegmentCorrupt`,
 * `SegmentMissing`, `SegmentTooNew` on start; `UnsupportedKey`, `UnsupportedValue`, `StateOutsideTurn`,
 * `TooManyKeys`, `NotIterable`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const clicks = visits.pipe(
 *   keyed('per-user', {
 *     key: (v) => v.user,
 *     state: { clicks: valueState(0) },
 *     onRecord: (v, { clicks }) => [{ ...v, clicks: clicks.update((n) => n + 1) }],
 *   }),
 * );
 * ```
 */
export function keyed<A, K extends Key, S extends StateSpecs, B, C = never>(
  id: string,
  options: KeyedOptions<A, K, S, B, C>,
): FlowOperator<A, B | C> {
  validate(id, options);
  return flowOperator<A, B | C>((out) => new Keyed(out, id, options));
}

const names: OptionNames<KeyedOptions<never, never, never, never>> = {
  key: true,
  state: true,
  allowDropped: true,
  onRecord: true,
  onTimer: true,
  onUnencodable: true,
};

/** Callers may be JavaScript, so types are checked at run time. */
function validate(id: string, options: object): void {
  checkId('the id of keyed', id);
  checkOptions(`keyed '${id}'`, required(`the options of keyed '${id}'`, options), names);
  const { key, state, allowDropped, onRecord, onTimer, onUnencodable } = options as Readonly<
    Record<string, unknown>
  >;
  if (typeof key !== 'function') throw new InvalidOption(`keyed('${id}').key`, key, 'a function');
  if (typeof onRecord !== 'function')
    throw new InvalidOption(`keyed('${id}').onRecord`, onRecord, 'a function');
  oneOf(`keyed('${id}').onUnencodable`, onUnencodable as string | undefined, ['fail', 'skip']);
  checkStates(`keyed('${id}', …)`, state);
  checkDropped(`keyed('${id}').allowDropped`, allowDropped, state);
  const timed = Object.values(state).some(hasTimers);
  if (typeof onTimer !== 'function' && (timed || onTimer !== undefined))
    throw new InvalidOption(`keyed('${id}').onTimer`, onTimer, 'a function, as a state has timers');
}
