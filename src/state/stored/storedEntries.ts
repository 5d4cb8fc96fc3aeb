// Indices are computed here and in range; checks would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import { concat, from, ignoreElements, Observable, type ObservableInput } from 'rxjs';
import type { Clock } from '../../flow/index.js';
import { Operand } from '../cells.js';
import { compareBytes } from '../keys/encodedKeys.js';
import { KeyCells, type NamedSpec } from './keyCells.js';
import { compareKeys, type StoredKey } from '../keys/keys.js';
import { RunCursors, type Cursor, type RunCursorsOptions } from '../runs/runCursors.js';
import type { StateSchema } from '../segment/format.js';
import { sliced, type Step } from '../slices.js';

/** What a key holds in a namespace. */
export interface StoredEntry {
  readonly key: StoredKey;
  /** Encoded; empty for none. */
  readonly namespace: Uint8Array;
  readonly contents: unknown;
}

export interface StoredEntriesOptions {
  readonly clock: Clock;
  /** Skips all other namespaces. Encoded. */
  readonly namespace?: Uint8Array | undefined;
  /** Delays what is next. */
  readonly pace?: (() => ObservableInput<unknown>) | undefined;
}

/** Cells in a step. */
const slice = 256;

/**
 * Emits what each key holds in each namespace, in the order of addresses. One request is in flight at a time, and only
 * when everything before has been emitted. The cursors skip all states but one.
 */
export function storedEntries(
  cursors: RunCursorsOptions,
  specOf: (schema: StateSchema) => NamedSpec,
  options: StoredEntriesOptions,
): Observable<StoredEntry> {
  return new Observable((out) => {
    const entries = new Entries(cursors, specOf, options, (entry) => {
      out.next(entry);
      return out.closed;
    });
    return sliced(options.clock, () => entries.step()).subscribe({
      error: (error: unknown) => out.error(error),
      complete: () => out.complete(),
    });
  });
}

class Entries {
  readonly #cursors: RunCursors;
  readonly #specOf: (schema: StateSchema) => NamedSpec;
  readonly #options: StoredEntriesOptions;
  readonly #emit: (entry: StoredEntry) => boolean;
  #current: { readonly key: StoredKey; readonly namespace: Uint8Array; readonly cells: KeyCells } | undefined;
  #emitted = false;
  #done = false;

  /** @param emit returns whether that is enough */
  constructor(
    cursors: RunCursorsOptions,
    specOf: (schema: StateSchema) => NamedSpec,
    options: StoredEntriesOptions,
    emit: (entry: StoredEntry) => boolean,
  ) {
    this.#cursors = new RunCursors(cursors);
    this.#specOf = specOf;
    this.#options = options;
    this.#emit = emit;
  }

  step(): Step {
    if (this.#done) return 'done';
    const filling = this.#cursors.fill();
    if (filling === undefined) return this.#take();
    const { pace } = this.#options;
    if (filling === 'more' || filling === 'done' || pace === undefined || !this.#emitted) return filling;
    this.#emitted = false;
    return concat(from(pace()).pipe(ignoreElements()), filling);
  }

  /** Takes cells until an input needs its next block. */
  #take(): Step {
    for (let n = 0; n < slice; n++) {
      const cursor = this.#cursors.lead();
      if (cursor === undefined) {
        this.#end();
        this.#done = true;
        return 'more';
      }
      if (this.#load(cursor)) return 'done';
      if (this.#cursors.pass()) return 'more';
    }
    return 'more';
  }

  /** Loads all contents of the lowest address, oldest first. Returns whether that is enough. */
  #load({ block, at }: Cursor): boolean {
    const key = block!.key(at);
    const path = block!.path(at);
    const { namespace } = this.#options;
    if (namespace !== undefined && compareBytes(namespace, path.namespace) !== 0) return false;
    let current = this.#current;
    if (
      current === undefined ||
      compareKeys(current.key, key) !== 0 ||
      compareBytes(current.namespace, path.namespace) !== 0
    ) {
      if (this.#end()) return true;
      const cells = new KeyCells(this.#specOf(schemaOf(this.#cursors.first[0]!)), key, path.namespace);
      this.#current = current = { key, namespace: path.namespace, cells };
    }
    const { first, count } = this.#cursors;
    let oldest = 0;
    while (oldest < count - 1 && contentOf(first[oldest]!) instanceof Operand) oldest++;
    for (let i = oldest; i >= 0; i--) {
      const origin = { schema: schemaOf(first[i]!), object: first[i]!.reader.ref.object };
      current.cells.load(path, contentOf(first[i]!), origin);
    }
    return false;
  }

  /** Emits the current entry. Returns whether that is enough. */
  #end(): boolean {
    const current = this.#current;
    this.#current = undefined;
    const contents = current?.cells.contents();
    if (current === undefined || contents === undefined) return false;
    this.#emitted = true;
    return this.#emit({ key: current.key, namespace: current.namespace, contents });
  }
}

const contentOf = ({ block, at }: Cursor): unknown => block!.contents[at];

const schemaOf = ({ reader, block, at }: Cursor): StateSchema =>
  reader.footer.schema.states[block!.states[at]!]!;
