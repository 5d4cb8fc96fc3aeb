import { absent, type CellContent, type CellPath } from '../cells.js';
import { KeyReader, type Key, type StoredKey } from '../keys/keys.js';
import { unreadable } from '../backend/mismatches.js';
import type { StateSchema } from '../segment/format.js';
import type { StateSpec } from '../state.js';

/** A declared state. */
export interface NamedSpec {
  readonly operator: string;
  readonly name: string;
  readonly spec: StateSpec<unknown>;
}

/** A cell, and the segment that it is from. */
export interface CellOrigin {
  readonly schema: StateSchema;
  readonly object: string;
}

/** The cells of one key and namespace, loaded oldest first as in a restore, and read through the handle of their kind. */
export class KeyCells {
  readonly #of: NamedSpec;
  readonly #key: StoredKey;
  readonly #namespace: Uint8Array;
  readonly #live: ReturnType<StateSpec<unknown>['open']>;
  #held = false;

  /** @param namespace encoded; empty for none */
  constructor(of: NamedSpec, key: StoredKey, namespace: Uint8Array) {
    this.#of = of;
    this.#key = key;
    this.#namespace = namespace;
    // Without a home, time stands still: nothing has expired.
    this.#live = of.spec.open(of.name);
  }

  /** Errors: `SegmentCorrupt`, `StateSchemaMismatch`. */
  load(path: CellPath, content: CellContent, { schema, object }: CellOrigin): void {
    const { operator, name } = this.#of;
    try {
      this.#live.load(this.#key, path, content, schema.serializer.version);
    } catch (cause) {
      throw unreadable(operator, name, schema, this.#key, object, cause);
    }
    this.#held ||= content !== absent;
  }

  /** What they hold as plain data; `undefined` if nothing. */
  contents(): unknown {
    if (!this.#held) return undefined;
    const live = this.#live;
    live.at(this.#key);
    const { handle } = live;
    const namespace = namespaceOf(this.#namespace);
    const contents = this.#of.spec.contents(
      namespace === undefined || !hasSpaces(handle) ? handle : handle.in(namespace),
    );
    live.leave();
    return contents;
  }
}

/** The namespace of cells; `undefined` if they have none. */
export function namespaceOf(encoded: Uint8Array): Key | undefined {
  return encoded.length === 0 ? undefined : new KeyReader(encoded).value();
}

/** Timers have no handles of namespaces. */
function hasSpaces(handle: unknown): handle is { in(namespace: Key): unknown } {
  return typeof (handle as { readonly in?: unknown }).in === 'function';
}
