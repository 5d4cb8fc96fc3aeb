import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import { absent, type CellContent, type CellPath } from '../cells.js';
import type { StatePlace } from '../errors.js';
import { checkLosses, encode, isolate, reveal } from '../values/isolate.js';
import type { StoredKey } from '../keys/keys.js';
import { refusal } from '../values/refusals.js';
import { Encoded, messagePack, unpackForeign, type Serializer } from '../values/serializer.js';
import type { StateHome } from '../state.js';
import { Timed } from '../values/timed.js';
import { Lifetime, type Ttl } from './ttl.js';

/** A value in memory. */
export type Held<T> = T | Encoded | Timed<T | Encoded>;

export interface ContentsOptions<T> {
  /** The name of the state. */
  readonly name: string;
  readonly serializer: Serializer<T>;
  readonly home?: StateHome | undefined;
  readonly ttl?: Ttl | undefined;
}

/** Where time stands still, so that nothing expires. */
const nowhere: StateHome = {
  operator: '',
  early: false,
  now: () => -Infinity,
  settled: () => -Infinity,
};

/** How the values of one state are held in memory, safe from changes by the user, and stored in segments. */
export class Contents<T> {
  /** For errors. */
  readonly place: StatePlace;
  readonly #home: Pick<StateHome, 'early'>;
  readonly #serializer: Serializer<T>;
  /** For states with a TTL. */
  readonly lifetime: Lifetime | undefined;
  /** Whether most numbers are held as they are, without a check. */
  readonly #plainNumbers: boolean;

  constructor({ name, serializer, home = nowhere, ttl }: ContentsOptions<T>) {
    this.place = { operator: home.operator, state: name };
    this.#serializer = serializer;
    this.#home = home;
    this.lifetime = ttl === undefined ? undefined : new Lifetime(ttl, home);
    this.#plainNumbers = this.lifetime === undefined && (this.#isDefault || !home.early);
  }

  /**
   * Isolates a value that a user sets for `key`. Errors: `UnsupportedValue`, `PromiseInFlow`, `ObservableInFlow`.
   */
  hold(value: T, key: StoredKey): Held<T> {
    // -0 needs isolation.
    if (typeof value === 'number' && (value !== 0 || 1 / value > 0) && this.#plainNumbers) return value;
    return this.#isolated(value, key);
  }

  #isolated(value: T, key: StoredKey): Held<T> {
    try {
      const held = isolate(value, this.#serializer);
      if (this.#home.early && !(held instanceof Encoded)) this.#check(held);
      return this.lifetime === undefined ? held : new Timed(this.lifetime.now, held);
    } catch (error) {
      // A mistake in the code, which is not skipped as the data of one record is.
      if (isDeferred(value))
        throw deferredInFlow(`State ${this.place.state} of operator ${this.place.operator} was given`, value);
      throw this.#refusal(error, key);
    }
  }

  /** The value to return to the user. */
  reveal(held: Held<T>): T {
    return reveal(held instanceof Timed ? held.value : held, this.#serializer);
  }

  /** The form of segments. Errors: `UnsupportedValue`. */
  readonly encode = (held: unknown, key?: StoredKey, path?: CellPath): CellContent => {
    if (held instanceof Encoded || held === absent) return held;
    if (held instanceof Timed) {
      const stored = this.encode(held.value, key, path);
      const time = this.lifetime?.timeOf(held) ?? held.time;
      // Bytes mean an encoded value: binary data of users is always encoded.
      return new Timed(time, stored instanceof Encoded ? stored.bytes : stored);
    }
    try {
      return this.#check(held as T);
    } catch (error) {
      throw this.#refusal(error, key, path);
    }
  };

  /** The inverse of {@link encode}, for what `version` of the serializer wrote. */
  decode(stored: CellContent, version: number): Held<T> {
    const timed = stored instanceof Timed;
    const bare: unknown = timed ? stored.value : stored;
    const held = this.#decode(timed && bare instanceof Uint8Array ? new Encoded(bare) : bare, version);
    // A value without a time was written before the state had a TTL.
    return this.lifetime === undefined ? held : new Timed(timed ? stored.time : this.lifetime.now, held);
  }

  /** Converts what `version` of the serializer wrote to the current one. */
  convert(stored: CellContent, version: number): CellContent {
    return version === this.#serializer.version ? stored : this.encode(this.decode(stored, version));
  }

  /** {@link absent} in place of a stored value that has expired for good. */
  unexpired(stored: CellContent): CellContent {
    return stored instanceof Timed && this.lifetime?.isOverForGood(stored) === true ? absent : stored;
  }

  #decode(stored: CellContent, version: number): T | Encoded {
    if (!(stored instanceof Encoded)) return isolate(stored as T, this.#serializer);
    if (this.#isDefault) {
      unpackForeign(stored.bytes);
      return stored;
    }
    return isolate(this.#serializer.decode(stored.bytes, version), this.#serializer);
  }

  /** Whether `version` of the serializer is the current one. */
  isCurrent(version: number): boolean {
    return version === this.#serializer.version;
  }

  #check(held: T): CellContent {
    if (!this.#isDefault) return encode(held, this.#serializer);
    checkLosses(held);
    return held;
  }

  get #isDefault(): boolean {
    return (this.#serializer as Serializer<unknown>) === messagePack;
  }

  #refusal(error: unknown, key: StoredKey | undefined, path?: CellPath): unknown {
    return refusal(error, this.place, key, path);
  }
}
