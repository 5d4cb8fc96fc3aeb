import { absent, type CellContent } from '../cells.js';
import { checkLosses, encode, isolate, reveal } from '../isolate.js';
import type { StoredKey } from '../keys.js';
import { refusal } from '../refusals.js';
import { Encoded, messagePack, unpackForeign, type Serializer } from '../serializer.js';
import type { StateHome } from '../state.js';

/** How the values of one state are held in memory, safe from changes by the user, and stored in segments. */
export class Contents<T> {
  readonly #name: string;
  readonly #home: Pick<StateHome, 'operator' | 'early'>;
  readonly #serializer: Serializer<T>;

  constructor(
    name: string,
    serializer: Serializer<T>,
    home: Pick<StateHome, 'operator' | 'early'> = { operator: '', early: false },
  ) {
    this.#name = name;
    this.#serializer = serializer;
    this.#home = home;
  }

  get name(): string {
    return this.#name;
  }

  /** Isolates a value that a user sets for `key`. Errors: `UnsupportedValue`. */
  hold(value: T, key: StoredKey): T | Encoded {
    try {
      const held = isolate(value, this.#serializer);
      if (this.#home.early && !(held instanceof Encoded)) this.#check(held);
      return held;
    } catch (error) {
      throw this.#refusal(error, key);
    }
  }

  /** The value to return to the user. */
  reveal(held: T | Encoded): T {
    return reveal(held, this.#serializer);
  }

  /** The form of segments. Errors: `UnsupportedValue`. */
  readonly encode = (held: unknown, key?: StoredKey): CellContent => {
    if (held instanceof Encoded || held === absent) return held;
    try {
      return this.#check(held as T);
    } catch (error) {
      throw this.#refusal(error, key);
    }
  };

  /** The inverse of {@link encode}, for what `version` of the serializer wrote. */
  decode(stored: CellContent, version: number): T | Encoded {
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

  #refusal(error: unknown, key: StoredKey | undefined): unknown {
    return refusal(error, { operator: this.#home.operator, state: this.#name }, key);
  }
}
