import { typeName } from '../../formats/typeName.js';
import { absent } from '../cells.js';
import { isolate } from '../values/isolate.js';
import { userKey, type Key } from '../keys/keys.js';
import { initialRefusal } from '../values/refusals.js';
import type { Encoded, Serializer } from '../values/serializer.js';
import type { StateSpec } from '../state.js';
import type { Table } from './table.js';
import { checkState, type KeyedStateOptions } from './options.js';
import { shared, SingleCell, type Shared } from './singleCell.js';
import { sortedKeys } from './sortedKeys.js';

/**
 * One value per key. Usable only during the turn of its record.
 *
 * Arrays and objects are frozen when they are set: to change one, set a changed copy. Every read of a date, map, set
 * or binary data returns a fresh copy.
 */
export interface ValueState<T> {
  /** The value of the record's key; the initial value if there is none. */
  readonly value: T;
  /**
   * Errors: `UnsupportedValue`. An array or plain object that cannot be stored may be detected only when a checkpoint
   * is written, which then ends the job.
   */
  set(value: T): void;
  /** Sets the value to the result of `change`, and returns it. */
  update(change: (value: T) => T): T;
  /** Removes the value: it is the initial one again. */
  clear(): void;
  /** The value of the record's key in a namespace, such as a window. Errors: `UnsupportedKey`. */
  in(namespace: Key): ValueState<T>;
}

/**
 * Declares a state with one value per key, `initial` until it is set.
 *
 * @example
 * ```ts
 * keyed('per-user', {
 *   key: (v: Visit) => v.user,
 *   state: { clicks: valueState(0), last: valueState<string | null>(null) },
 *   onRecord: (v, { clicks, last }) => {
 *     last.set(v.at);
 *     return [{ user: v.user, clicks: clicks.update((n) => n + 1) }];
 *   },
 * });
 * ```
 *
 * With the default serializer, the type of the initial value (other than `null` and `undefined`) must stay the same
 * from run to run.
 *
 * Errors: `InvalidOption`, `InvalidState`; `UnsupportedValue` for an initial value that cannot be stored.
 */
export function valueState<T>(initial: T, options: KeyedStateOptions<T> = {}): StateSpec<ValueState<T>> {
  const { serializer, ttl, formerly } = checkState('valueState', options);
  const isolated = isolateInitial(initial, serializer);
  return {
    kind: 'value',
    serializer,
    formerly,
    singleCell: true,
    // A custom serializer can read other types that its earlier versions wrote.
    ...(options.serializer === undefined ? { type: typeOf(initial) } : {}),
    open: (name, home) => new LiveValueState(shared({ name, serializer, home, ttl }), isolated),
    contents: (handle) => (handle as ValueState<T> & Stored<T>).stored,
  };
}

function isolateInitial<T>(initial: T, serializer: Serializer<T>): T | Encoded {
  try {
    return isolate(initial, serializer);
  } catch (error) {
    throw initialRefusal(error);
  }
}

/** The type of the values according to the initial value; `null` and `undefined` allow any type. */
function typeOf(initial: unknown): string | undefined {
  if (initial === null || initial === undefined) return undefined;
  return typeof initial === 'object' ? typeName(initial) : typeof initial;
}

/** Whether the record's key has a value, which has not expired. */
export function isSet(state: ValueState<unknown>): boolean {
  return (state as ValueState<unknown> & Stored<unknown>).isSet;
}

/**
 * All keys with a value, for operators that visit each; in a state with a TTL, some may have expired. Their order
 * depends on nothing but the keys: it is that of their encodings. They come a few at a time, some of the times none, so that millions
 * can be visited in slices.
 */
export function* keysOf<T>(state: ValueState<T>): Generator<readonly Key[]> {
  const { table } = state as ValueState<T> & Tabled;
  for (const keys of sortedKeys(table.keys())) yield keys.map(userKey);
}

interface Tabled {
  readonly table: Pick<Table<unknown>, 'keys'>;
}

interface Stored<T> {
  /** The value that was set, if any. */
  readonly stored: T | undefined;
  readonly isSet: boolean;
}

class LiveValueState<T> extends SingleCell<T, ValueState<T>> implements ValueState<T>, Stored<T> {
  readonly #initial: T | Encoded;

  constructor(of: Shared<T>, initial: T | Encoded) {
    super(of);
    this.#initial = initial;
  }

  override get handle(): ValueState<T> {
    return this;
  }

  protected override another(of: Shared<T>): LiveValueState<T> {
    return new LiveValueState(of, this.#initial);
  }

  get value(): T {
    const content = this.held;
    if (typeof content !== 'object' || content === null) return content;
    return this.contents.reveal((content as unknown) === absent ? this.#initial : (content as T | Encoded));
  }

  get stored(): T | undefined {
    const content = this.held;
    return (content as unknown) === absent ? undefined : this.contents.reveal(content as T | Encoded);
  }

  get isSet(): boolean {
    return (this.held as unknown) !== absent;
  }

  set(value: T): void {
    this.put(value);
  }

  update(change: (value: T) => T): T {
    const value = change(this.value);
    this.put(value);
    return value;
  }
}
