import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { StateError } from './errors.js';
import type { StoredKey } from './keys.js';
import { Encoded, isolate, messagePack, reveal, type Serializer } from './serializer.js';
import type { LiveState, StateSpec } from './state.js';
import { absent, Table, type Entry } from './table.js';

/**
 * One value for every key. Works only during the turn of the record it was handed to.
 *
 * Arrays and objects are frozen when they are set: change a copy and set that. Dates, maps, sets and binary data come
 * as a fresh copy from every read.
 */
export interface ValueState<T> {
  /** The value of the record's key; the initial value if there is none. */
  readonly value: T;
  /** Errors: `UnsupportedValue`. */
  set(value: T): void;
  /** Sets what `change` makes of the value, and returns it. */
  update(change: (value: T) => T): T;
  /** Forgets the key: the value is the initial one again. */
  clear(): void;
}

export interface ValueStateOptions<T> {
  /** How values are stored. Default MessagePack, which takes plain data. */
  readonly serializer?: Serializer<T>;
}

const names: OptionNames<ValueStateOptions<never>> = { serializer: true };

/**
 * Declares a state that holds one value for every key, `initial` until it is set.
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
 */
export function valueState<T>(initial: T, options: ValueStateOptions<T> = {}): StateSpec<ValueState<T>> {
  checkOptions('valueState', options, names);
  const serializer = options.serializer ?? (messagePack as Serializer<T>);
  if (!Number.isSafeInteger(serializer.version) || serializer.version < 1) {
    throw new StateError(
      'InvalidState',
      `Serializer ${serializer.id} has version ${serializer.version}: give it an integer from 1.`,
    );
  }
  const isolated = isolate(initial, serializer);
  return { kind: 'value', serializer, open: (name) => new LiveValueState(name, isolated, serializer) };
}

class LiveValueState<T> implements LiveState<ValueState<T>>, ValueState<T> {
  readonly table: Table<T | Encoded> = new Table();
  readonly #name: string;
  readonly #initial: T | Encoded;
  readonly #serializer: Serializer<T>;
  /** The entry of the key whose turn it is, if it has one. */
  #entry: Entry<T | Encoded> | undefined;
  /** The key whose turn it is, where it has no entry. Both are undefined outside a turn. */
  #key: StoredKey | undefined;

  constructor(name: string, initial: T | Encoded, serializer: Serializer<T>) {
    this.#name = name;
    this.#initial = initial;
    this.#serializer = serializer;
  }

  get handle(): ValueState<T> {
    return this;
  }

  // The fewer instructions a turn has, the more lookups of one record and the next overlap in the processor: so a key
  // is looked up at once, and remembered only where it has no entry.
  at(key: StoredKey): void {
    const entry = this.table.find(key);
    if (entry === undefined) this.#unknown(key);
    else this.#entry = entry;
  }

  #unknown(key: StoredKey): void {
    this.#key = key;
    this.#entry = undefined;
  }

  leave(): void {
    this.#entry = undefined;
    this.#key = undefined;
  }

  get value(): T {
    const entry = this.#entry;
    const content = entry === undefined ? this.#missing() : entry.content;
    if (typeof content !== 'object' || content === null) return content;
    return reveal(
      (content as unknown) === absent ? this.#initial : (content as T | Encoded),
      this.#serializer,
    );
  }

  set(value: T): void {
    const entry = this.#entry;
    if (entry === undefined) this.#insert(value);
    else this.table.write(entry, this.#isolated(value));
  }

  update(change: (value: T) => T): T {
    const value = change(this.value);
    this.set(value);
    return value;
  }

  clear(): void {
    const entry = this.#entry;
    if (entry === undefined) this.#known();
    else if (entry.content !== absent) this.table.write(entry, absent);
  }

  dump(content: unknown): unknown {
    if (content instanceof Encoded || (this.#serializer as Serializer<unknown>) === messagePack)
      return content;
    return new Encoded(this.#serializer.encode(content as T));
  }

  restore(key: StoredKey, stored: unknown, version: number): void {
    this.table.load(key, stored === absent ? absent : this.#content(stored, version));
  }

  convert(stored: unknown, version: number): unknown {
    return version === this.#serializer.version ? stored : this.dump(this.#content(stored, version));
  }

  #content(stored: unknown, version: number): T | Encoded {
    if (!(stored instanceof Encoded)) return isolate(stored as T, this.#serializer);
    if ((this.#serializer as Serializer<unknown>) === messagePack) return stored;
    return isolate(this.#serializer.decode(stored.bytes, version), this.#serializer);
  }

  #insert(value: T): void {
    const key = this.#known();
    this.#entry = this.table.insert(key, this.#isolated(value));
  }

  #isolated(value: T): T | Encoded {
    // Only what may be an object, a function or a symbol needs isolation; of numbers, adding nothing mends `-0`.
    return typeof value === 'number' ? ((value + 0) as T) : isolate(value, this.#serializer);
  }

  #missing(): T | Encoded {
    this.#known();
    return this.#initial;
  }

  #known(): StoredKey {
    if (this.#key === undefined) {
      throw new StateError(
        'StateOutsideTurn',
        `State ${this.#name} was used outside the turn of a record. Use it only before \`onRecord\` has returned (or its last result was taken).`,
      );
    }
    return this.#key;
  }
}
