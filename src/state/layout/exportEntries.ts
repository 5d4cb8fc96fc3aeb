import { concat, defer, EMPTY, from, ignoreElements, mergeMap, of, type Observable } from 'rxjs';
import type { Clock } from '../../flow/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import type { CheckpointData } from '../../store/services.js';
import type { CellContent, CellPath } from '../cells.js';
import { compareBytes, compareEncoded } from '../keys/encodedKeys.js';
import { StateError } from '../errors.js';
import { KeyReader } from '../keys/keys.js';
import { readerOf } from '../kinds/index.js';
import { SegmentMerge, type MergeTarget } from '../runs/merge.js';
import { checkFit } from '../backend/mismatches.js';
import type { SegmentSchema, StateSchema } from '../segment/format.js';
import { SegmentReader } from '../segment/reader.js';
import { messagePack } from '../values/serializer.js';
import { sliced, type Step } from '../slices.js';
import type { StateSnapshot } from '../backend/snapshot.js';
import type { LiveState, StateSpecs } from '../state.js';
import { entryName } from './entryName.js';
import { encodeEntry, type StoredEntry } from './entryObject.js';
import { encodeSummary, summaryName } from './summary.js';

/** Where the objects of an export are. */
export interface EntryPlace {
  readonly store: ObjectStore;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
}

export interface ExportOptions {
  readonly operator: string;
  readonly snapshot: StateSnapshot;
  /** Where the segments of the snapshot are. */
  readonly data: CheckpointData;
  /** Declarations, by name. Required for states with a custom serializer. */
  readonly declared: StateSpecs;
  readonly to: EntryPlace;
  /** Ends the names of entries. */
  readonly extension: string;
  readonly compression: boolean;
  readonly clock: Clock;
}

/** Uploads at a time. */
const concurrency = 16;
/** Entries that are put at once. */
const batch = 64;

/**
 * Writes each entry of an operator's state, which is what a key holds in a state and namespace, as an object, and last a
 * summary, which makes the export complete. The target must be empty. Memory is one window and one block per run of
 * segments, and some entries.
 *
 * Emits the number of entries. Errors: `ExportNotEmpty`, `SerializerMissing`, `StateSchemaMismatch`, and those of
 * segments and the store.
 */
export function exportEntries(options: ExportOptions): Observable<number> {
  const { operator, snapshot, data, to, clock } = options;
  return defer(() => {
    const states = new ExportedStates(options);
    const writer = new EntryWriter(states, options);
    const merge = new SegmentMerge({
      inputs: snapshot.runs.map(({ segments, keyGroups }) =>
        segments.map((ref) => new SegmentReader(data, ref, keyGroups)),
      ),
      run: writer,
      bottom: true,
      states: states.live,
      resolve: ({ footer }) => states.resolve(footer.schema),
    });
    return concat(
      empty(to),
      sliced(clock, () => merge.step()),
      defer(() => {
        const { maxParallelism } = snapshot;
        const names = snapshot.states.flatMap(({ name }) => name ?? []).sort();
        const { entries } = writer;
        const summary = encodeSummary({
          operator,
          maxParallelism,
          states: names,
          entries,
          extension: options.extension,
        });
        return to.store.put(to.prefix + summaryName, summary).pipe(ignoreElements());
      }),
      defer(() => of(writer.entries)),
    );
  });
}

function empty({ store, prefix }: EntryPlace): Observable<never> {
  return store.list({ prefix, limit: 1 }).pipe(
    mergeMap(({ objects }) => {
      if (objects.length === 0) return EMPTY;
      throw new StateError(
        'ExportNotEmpty',
        `State cannot be exported to ${store.uri}/${prefix}, which has objects already: entries that are gone meanwhile would be among the new ones. Export to another folder, or remove this one first.`,
      );
    }),
  );
}

/** The states of a snapshot, opened as segments turn out to have them. */
class ExportedStates {
  readonly #options: ExportOptions;
  /** In the order of ids; undefined for dropped states. */
  readonly #names: readonly (readonly [id: string, name: string | undefined])[];
  /** By index. */
  readonly live: LiveState<unknown>[] = [];
  readonly #schemas: Omit<StateSchema, 'id'>[] = [];

  constructor(options: ExportOptions) {
    this.#options = options;
    this.#names = options.snapshot.states
      .map(({ id, name }) => [id, name] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  resolve({ states }: SegmentSchema): readonly number[] {
    return states.map((stored) => {
      const at = this.#names.findIndex(([id]) => id === stored.id);
      const name = this.#names[at]?.[1];
      if (name === undefined) return -1;
      this.#open(at, name, stored);
      return at;
    });
  }

  name(at: number): string {
    return this.#names[at]?.[1] ?? '';
  }

  schema(at: number): Omit<StateSchema, 'id'> {
    const schema = this.#schemas[at];
    if (schema === undefined) throw new RangeError('a cell is of a state that was resolved');
    return schema;
  }

  #open(at: number, name: string, stored: StateSchema): void {
    const { operator, declared, clock } = this.#options;
    const own = Object.hasOwn(declared, name) ? declared[name] : undefined;
    const spec = own ?? (stored.serializer.id === messagePack.id ? readerOf(stored.kind) : undefined);
    if (spec === undefined) {
      throw new StateError(
        'SerializerMissing',
        `State ${name} of operator ${operator} is ${stored.kind} state that was written by serializer ${stored.serializer.id}. Declare it in \`states\`, as in the job.`,
      );
    }
    checkFit(operator, { name, spec }, own === undefined ? { ...stored, kind: spec.kind } : stored);
    if (this.live[at] !== undefined) return;
    const { id, version } = spec.serializer;
    this.live[at] = spec.open(name, {
      operator,
      early: false,
      now: () => clock.now(),
      settled: () => -Infinity,
    });
    // Segments are opened from the newest run to the oldest.
    this.#schemas[at] = {
      kind: stored.kind,
      serializer: { id, version },
      type: spec.type ?? stored.type,
    };
  }
}

/** An entry while its cells come. */
interface Draft {
  readonly encodedKey: Uint8Array;
  readonly state: number;
  readonly namespace: Uint8Array;
  readonly cells: { readonly subKey: Uint8Array; readonly content: CellContent }[];
}

/** The target of a merge that writes entries instead of a segment. */
class EntryWriter implements MergeTarget {
  readonly #states: ExportedStates;
  readonly #options: ExportOptions;
  #draft: Draft | undefined;
  #ready: StoredEntry[] = [];
  entries = 0;

  constructor(states: ExportedStates, options: ExportOptions) {
    this.#states = states;
    this.#options = options;
  }

  get encoder(): this {
    return this;
  }

  get full(): boolean {
    return this.#ready.length >= batch;
  }

  addEncoded(
    _group: number,
    _hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    state: number,
    { namespace, subKey }: CellPath,
    content: CellContent,
  ): void {
    let draft = this.#draft;
    if (
      draft === undefined ||
      draft.state !== state ||
      compareEncoded(draft.encodedKey, 0, draft.encodedKey.length, bytes, start, end) !== 0 ||
      compareBytes(draft.namespace, namespace) !== 0
    ) {
      this.#end();
      const encodedKey = Uint8Array.prototype.slice.call(bytes, start, end);
      this.#draft = draft = { encodedKey, state, namespace, cells: [] };
    }
    draft.cells.push({ subKey, content });
  }

  flush(): Step {
    const ready = this.#ready;
    this.#ready = [];
    this.entries += ready.length;
    const { to, extension, compression, snapshot } = this.#options;
    return from(ready).pipe(
      mergeMap((entry) => {
        const name = entryName(entry.state, entry.key, entry.namespace, snapshot.maxParallelism);
        return to.store.put(to.prefix + name + extension, encodeEntry(entry, compression));
      }, concurrency),
    );
  }

  finish(): Step {
    this.#end();
    return this.flush();
  }

  #end(): void {
    const draft = this.#draft;
    if (draft === undefined) return;
    this.#ready.push({
      state: this.#states.name(draft.state),
      schema: this.#states.schema(draft.state),
      key: new KeyReader(draft.encodedKey).key(),
      namespace: draft.namespace,
      cells: draft.cells,
    });
  }
}
