import { StateError, type StatePlace } from '../errors.js';
import { Namespace } from '../keys/keyMap.js';
import type { Key, StoredKey } from '../keys/keys.js';

/** The base of handles of collections: in a turn, it has a key, a namespace, and their collection. */
export abstract class Handle<H extends Handle<H, E>, E> {
  #key: StoredKey | undefined;
  #space: Namespace | undefined;
  #found: E | undefined;
  /** Handles of namespaces that were created in this turn. */
  #inSpaces: H[] | undefined;

  /** For errors. */
  protected abstract readonly place: StatePlace;

  /** Another handle on the same state. */
  protected abstract another(): H;

  protected abstract find(key: StoredKey, space: Namespace | undefined): E | undefined;

  in(namespace: Key): H {
    const handle = this.another();
    handle.enter(this.key, Namespace.of(namespace, this.place));
    (this.#inSpaces ??= []).push(handle);
    return handle;
  }

  /** Begins a turn. */
  enter(key: StoredKey, space?: Namespace): void {
    this.#key = key;
    this.#space = space;
  }

  leave(): void {
    this.#key = undefined;
    this.#found = undefined;
    if (this.#inSpaces !== undefined) this.#leaveSpaces();
  }

  /** Errors: `StateOutsideTurn`. */
  protected get key(): StoredKey {
    if (this.#key === undefined) throw outsideTurn(this.place.state);
    return this.#key;
  }

  protected get space(): Namespace | undefined {
    return this.#space;
  }

  /**
   * What the key and namespace have. It stays during the turn, so it is looked up once; if there is nothing, another handle
   * may create it. Errors: `StateOutsideTurn`.
   */
  protected get found(): E | undefined {
    return this.#found ?? (this.#found = this.find(this.key, this.#space));
  }

  #leaveSpaces(): void {
    for (const handle of this.#inSpaces ?? []) handle.leave();
    this.#inSpaces = undefined;
  }
}

export function outsideTurn(name: string): StateError {
  return new StateError(
    'StateOutsideTurn',
    `State ${name} was used outside the turn of a record. Use it only before \`onRecord\` has returned (or its last result was taken).`,
  );
}
