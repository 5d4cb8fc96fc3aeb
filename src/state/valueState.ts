import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { typeName } from '../formats/typeName.js';
import { absent, noPath, type Absent, type CellContent, type CellPath } from './cells.js';
import { StateError } from './errors.js';
import { checkLosses, encode, isolate, reveal } from './isolate.js';
import type { StoredKey } from './keys.js';
import { initialRefusal, refusal } from './refusals.js';
import { Encoded, messagePack, unpackForeign, type Serializer } from './serializer.js';
import type { FrozenCells, LiveState, StateHome, StateSpec } from './state.js';
import { FrozenEntries, Table, type Entry } from './table.js';

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
}

export interface ValueStateOptions<T> {
  /**
   * How values are stored. Default MessagePack, for plain data: a value that would not come back unchanged is
   * rejected. With the default, the type of the initial value (other than `null` and `undefined`) must stay the same
   * from run to run.
   */
  readonly serializer?: Serializer<T>;
}

const names: OptionNames<ValueStateOptions<never>> = { serializer: true };

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
 * Errors: `InvalidOption`, `InvalidState`; `UnsupportedValue` for an initial value that cannot be stored.
 */
export function valueState<T>(initial: T, options: ValueStateOptions<T> = {}): StateSpec<ValueState<T>> {
  checkOptions('valueState', options, names);
  const serializer = options.serializer ?? (messagePack as Serializer<T>);
  checkSerializer(serializer);
  const isolated = isolateInitial(initial, serializer);
  return {
    kind: 'value',
    serializer,
    // A custom serializer can read other types that its earlier versions wrote.
    ...(options.serializer === undefined ? { type: typeOf(initial) } : {}),
    open: (name, home) => new LiveValueState(name, isolated, serializer, home),
  };
}

/** Callers may be JavaScript, so types are checked at run time. */
function checkSerializer<T>(serializer: Serializer<T>): void {
  const { id, version } = serializer;
  const invalid = (what: string): StateError => new StateError('InvalidState', what);
  if (typeof (id as unknown) !== 'string' || id === '')
    throw invalid(
      'A serializer has no id: give it a string that names the format of its bytes and never changes.',
    );
  if (!Number.isSafeInteger(version) || version < 1)
    throw invalid(`Serializer ${id} has version ${version}: give it an integer from 1.`);
  if ((serializer as Serializer<unknown>) !== messagePack && id === messagePack.id)
    throw invalid(`The id ${id} is that of the default serializer: give yours another.`);
  for (const method of ['encode', 'decode'] as const) {
    if (typeof (serializer[method] as unknown) !== 'function')
      throw invalid(`Serializer ${id} has no method \`${method}\`.`);
  }
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

class LiveValueState<T> implements LiveState<ValueState<T>>, ValueState<T> {
  readonly table: Table<T | Encoded> = new Table();
  readonly #name: string;
  readonly #home: StateHome;
  readonly #initial: T | Encoded;
  readonly #serializer: Serializer<T>;
  /** The entry of the current key, if it has one. */
  #entry: Entry<T | Encoded> | undefined;
  /** The current key if it has no entry. Both are undefined outside a turn. */
  #key: StoredKey | undefined;

  /** What the key held at {@link remember}. */
  #before: T | Encoded | Absent = absent;

  constructor(
    name: string,
    initial: T | Encoded,
    serializer: Serializer<T>,
    home: StateHome = { operator: '', early: false },
  ) {
    this.#name = name;
    this.#home = home;
    this.#initial = initial;
    this.#serializer = serializer;
  }

  get handle(): ValueState<T> {
    return this;
  }

  get size(): number {
    return this.table.size;
  }

  // The fewer instructions a turn takes, the more its lookup overlaps with that of the next record in the CPU. So the
  // key is looked up immediately, and kept only if it has no entry.
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
    else this.table.write(entry, this.#isolated(value, entry.key));
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

  remember(): void {
    this.#before = this.#entry === undefined ? absent : this.#entry.content;
  }

  undo(): void {
    const entry = this.#entry;
    if (entry !== undefined && entry.content !== this.#before) this.table.write(entry, this.#before);
  }

  freeze(): FrozenCells {
    return new FrozenEntries(this.table, this.#encode);
  }

  load(key: StoredKey, path: CellPath, content: CellContent, version: number): void {
    if (path !== noPath) throw new RangeError('a value is the only cell of its key');
    this.table.load(key, content === absent ? absent : this.#decode(content, version));
  }

  convert(content: CellContent, version: number): CellContent {
    return version === this.#serializer.version ? content : this.#encode(this.#decode(content, version));
  }

  readonly #encode = (content: unknown, key?: StoredKey): CellContent => {
    if (content instanceof Encoded || content === absent) return content;
    try {
      if (!this.#isDefault) return encode(content as T, this.#serializer);
      checkLosses(content);
      return content;
    } catch (error) {
      throw this.#refusal(error, key);
    }
  };

  get #isDefault(): boolean {
    return (this.#serializer as Serializer<unknown>) === messagePack;
  }

  #decode(stored: CellContent, version: number): T | Encoded {
    if (!(stored instanceof Encoded)) return isolate(stored as T, this.#serializer);
    if (this.#isDefault) {
      unpackForeign(stored.bytes);
      return stored;
    }
    return isolate(this.#serializer.decode(stored.bytes, version), this.#serializer);
  }

  #insert(value: T): void {
    const key = this.#known();
    this.#entry = this.table.insert(key, this.#isolated(value, key));
  }

  #isolated(value: T, key: StoredKey): T | Encoded {
    // Most numbers need no isolation; -0 does.
    if (typeof value === 'number' && (value !== 0 || 1 / value > 0)) return value;
    try {
      const held = isolate(value, this.#serializer);
      if (this.#home.early && !(held instanceof Encoded)) this.#encode(held, key);
      return held;
    } catch (error) {
      throw this.#refusal(error, key);
    }
  }

  #refusal(error: unknown, key: StoredKey | undefined): unknown {
    return refusal(error, { operator: this.#home.operator, state: this.#name }, key);
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
