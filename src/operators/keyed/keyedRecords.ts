import type { Subscriber } from 'rxjs';
import { MillraceError } from '../../errors.js';
import { checkFunction, oneOf } from '../../config/checkOptions.js';
import { InvalidOption } from '../../config/units.js';
import {
  flowOperator,
  SkippedRecords,
  type FlowOperator,
  type OnUnencodable,
  type Open,
  type Signal,
} from '../../flow/index.js';
import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import { typeName } from '../../formats/typeName.js';
import { hasTimers, StateError, type Handles, type Key, type StateSpecs } from '../../state/index.js';
import type { Timer } from './dueTimers.js';
import type { KeyedOptions } from './keyedOptions.js';
import { checkDropped, checkStates, KeyedOperator } from './keyedOperator.js';

/** What a {@link KeyedRecords} does, of `keyed` or of an operator that consists of it. */
export interface KeyedRecordsOptions<A, K extends Key, S extends StateSpecs, B, C = never> extends Omit<
  KeyedOptions<A, K, S, B, C>,
  'onRecord' | 'allowDropped' | 'onUnencodable'
> {
  /** The operator's name in errors, such as `keyed`. */
  readonly name: string;
  readonly id: string; /** Handles a record with the states of its key. Returns the records to emit, in order. */
  readonly onRecord: (record: A, states: Handles<S>, key: K) => Iterable<B>;
  readonly allowDropped?: readonly string[] | undefined;
  readonly onUnencodable?: OnUnencodable | undefined;
  /** As in `KeyedOperatorOptions`. */
  readonly whole?: boolean;
}

/** Handles each record with the states of its key, and each timer with those of the timer's key. */
export class KeyedRecords<A, K extends Key, S extends StateSpecs, B, C = never> extends KeyedOperator<
  A,
  B | C,
  S
> {
  /** For errors. */
  readonly #of: string;
  readonly #key: (record: A) => K;
  readonly #onRecord: KeyedRecordsOptions<A, K, S, B>['onRecord'];
  readonly #onTimer: KeyedOptions<A, K, S, B, C>['onTimer'];
  readonly #skipping: boolean;
  #skipped!: SkippedRecords;

  constructor(out: Subscriber<B | C | Signal>, options: KeyedRecordsOptions<A, K, S, B, C>) {
    const { name, id } = options;
    const skipping = options.onUnencodable === 'skip';
    super(out, {
      name,
      id,
      state: options.state,
      allowDropped: options.allowDropped,
      early: skipping,
      whole: options.whole ?? false,
    });
    this.#of = `${name}('${id}')`;
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
    const key = this.#key(record);
    this.enter(key);
    const results = this.#onRecord(record, states, key);
    // Callers may be JavaScript; an async callback is the most common mistake.
    if (!isIterable(results)) throw notIterable(`onRecord of ${this.#of}`, results);
    this.#emitAll('onRecord', results);
    this.leave();
  }

  protected override onTimer(timer: Timer): void {
    const fire = (): Iterable<B | C> => {
      const results = this.#onTimer?.(timer as Timer<K>, this.states);
      if (!isIterable(results)) throw notIterable(`onTimer of ${this.#of}`, results);
      return results;
    };
    if (this.#skipping) this.remember();
    this.#emitAll('onTimer', this.#skipping ? this.#tried(fire) : fire());
  }

  /** Like `onRecord`, but a record that cannot be stored has no effect. */
  #tryRecord(record: A, states: Handles<S>): void {
    const results = this.#tried(() => {
      const key = this.#key(record);
      this.enter(key);
      this.remember();
      const returned = this.#onRecord(record, states, key);
      if (!isIterable(returned)) throw notIterable(`onRecord of ${this.#of}`, returned);
      return returned;
    });
    this.#emitAll('onRecord', results);
    this.leave();
  }

  /** The results of `work`. None if something cannot be stored, and no changes of states since `remember`. */
  #tried<R>(work: () => Iterable<R>): readonly R[] {
    try {
      const results = [...work()];
      this.forget();
      return results;
    } catch (error) {
      if (!isUnencodable(error)) throw error;
      this.undo();
      this.#skipped.skip(error);
      return [];
    }
  }

  #emitAll(callback: 'onRecord' | 'onTimer', results: Iterable<B | C>): void {
    for (const value of results) {
      if (isDeferred(value)) throw deferredInFlow(`${callback} of ${this.#of} returned`, value);
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

function notIterable(callback: string, results: unknown): MillraceError {
  if (isDeferred(results)) return deferredInFlow(`${callback} returned`, results);
  return new MillraceError(
    'NotIterable',
    `${callback} returned a value of type ${typeName(results)}. Return the records to send down as an array or another synchronous Iterable, [] for none.`,
  );
}

/**
 * The operator of options whose names are checked. Callers may be JavaScript, so the rest is checked here. Errors:
 * `InvalidOption`, `InvalidState`.
 */
export function keyedRecords<A, K extends Key, S extends StateSpecs, B, C = never>(
  options: KeyedRecordsOptions<A, K, S, B, C>,
  create = (out: Subscriber<B | C | Signal>): KeyedRecords<A, K, S, B, C> => new KeyedRecords(out, options),
): FlowOperator<A, B | C> {
  const { name, id, key, state, allowDropped, onRecord, onTimer, onUnencodable } = options;
  const of = `${name}('${id}')`;
  checkFunction(`${of}.key`, key);
  checkFunction(`${of}.onRecord`, onRecord);
  oneOf(`${of}.onUnencodable`, onUnencodable, ['fail', 'skip']);
  checkStates(of, state);
  checkDropped(`${of}.allowDropped`, allowDropped, state);
  const timed = Object.values(state).some(hasTimers);
  if (typeof (onTimer as unknown) !== 'function' && (timed || onTimer !== undefined))
    throw new InvalidOption(`${of}.onTimer`, onTimer, 'a function, as a state has timers');
  return flowOperator<A, B | C>(create);
}
