import { StateError, type StatePlace } from '../errors.js';
import {
  CompositeKey,
  encodeKey,
  keyUses,
  storedKey,
  type Key,
  type PrimitiveKey,
  type StoredKey,
} from './keys.js';

/** A map by key. Primitive keys are compared as in a `Map`, composite ones by their encoding. */
export class KeyMap<V> {
  readonly #primitives = new Map<PrimitiveKey, V>();
  /** There may be millions of key maps, most of which have no composite key. */
  #composites: Map<string, V> | undefined;

  get size(): number {
    return this.#primitives.size + (this.#composites?.size ?? 0);
  }

  get(key: StoredKey): V | undefined {
    // Most keys are primitives. A composite key is never in this map.
    const value = this.#primitives.get(key as PrimitiveKey);
    return value === undefined ? this.#composite(key) : value;
  }

  /** Errors: `TooManyKeys`. */
  set(key: StoredKey, value: V): void {
    try {
      if (key instanceof CompositeKey) (this.#composites ??= new Map<string, V>()).set(key.id, value);
      else this.#primitives.set(key, value);
    } catch (cause) {
      throw new StateError(
        'TooManyKeys',
        `A state holds ${this.size.toLocaleString('en-US')} keys, and V8 allows no more in a map. Clear keys that are no longer needed, or split them: several keyed(…), each with a part of the keys.`,
        { cause },
      );
    }
  }

  delete(key: StoredKey): void {
    if (key instanceof CompositeKey) this.#composites?.delete(key.id);
    else this.#primitives.delete(key);
  }

  *values(): Generator<V, void> {
    yield* this.#primitives.values();
    if (this.#composites !== undefined) yield* this.#composites.values();
  }

  #composite(key: StoredKey): V | undefined {
    return key instanceof CompositeKey ? this.#composites?.get(key.id) : undefined;
  }
}

/** Separates the state of a key, such as the windows that it is in. */
export class Namespace {
  /** The canonical encoding, which is the namespace of cells. */
  readonly bytes: Uint8Array;
  /** The encoding, one character per byte. */
  readonly id: string;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.id = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  }

  /** Errors: `UnsupportedKey`. */
  static of(key: Key, place?: StatePlace): Namespace {
    return new Namespace(encodeKey(storedKey(key, keyUses.namespace, place)));
  }

  /** The namespace of a cell; undefined if it has none. */
  static at(bytes: Uint8Array): Namespace | undefined {
    return bytes.length === 0 ? undefined : new Namespace(bytes);
  }
}

/** A map by key and namespace. */
export class SpaceMap<V> {
  readonly #plain = new KeyMap<V>();
  readonly #spaced = new KeyMap<Map<string, V>>();
  #inSpaces = 0;

  get size(): number {
    return this.#plain.size + this.#inSpaces;
  }

  /** The values outside of namespaces. */
  plain(): Generator<V, void> {
    return this.#plain.values();
  }

  get(key: StoredKey, space: Namespace | undefined): V | undefined {
    return space === undefined ? this.#plain.get(key) : this.#spaced.get(key)?.get(space.id);
  }

  /** Errors: `TooManyKeys`. */
  set(key: StoredKey, space: Namespace | undefined, value: V): void {
    if (space === undefined) {
      this.#plain.set(key, value);
      return;
    }
    let spaces = this.#spaced.get(key);
    if (spaces === undefined) this.#spaced.set(key, (spaces = new Map<string, V>()));
    const before = spaces.size;
    spaces.set(space.id, value);
    this.#inSpaces += spaces.size - before;
  }

  *values(): Generator<V, void> {
    yield* this.#plain.values();
    for (const spaces of this.#spaced.values()) yield* spaces.values();
  }

  delete(key: StoredKey, space: Namespace | undefined): void {
    if (space === undefined) {
      this.#plain.delete(key);
      return;
    }
    const spaces = this.#spaced.get(key);
    if (spaces?.delete(space.id) !== true) return;
    this.#inSpaces--;
    if (spaces.size === 0) this.#spaced.delete(key);
  }
}
