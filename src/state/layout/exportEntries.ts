import { concat, Observable } from 'rxjs';
import type { CheckpointData } from '../../store/services.js';
import { intersection } from '../keys/keyGroups.js';
import { SegmentMerge } from '../runs/merge.js';
import { mismatch } from '../backend/mismatches.js';
import type { SegmentSchema, StateSchema } from '../segment/format.js';
import { SegmentReader } from '../segment/reader.js';
import { sliced } from '../slices.js';
import type { StateSnapshot } from '../backend/snapshot.js';
import type { LiveState } from '../state.js';
import { carrier, storedSpec, type ReadStates } from '../stored/storedSpec.js';
import { EntryWriter, type EntryWriterOptions, type MovedObject } from './entryWriter.js';
import type { EntrySchema } from './entryObject.js';
import type { ExportedOperator } from './summary.js';

export interface ExportOptions
  extends ReadStates, Omit<EntryWriterOptions, 'state' | 'stored' | 'maxParallelism'> {
  readonly snapshot: StateSnapshot;
  /** Where the segments of the snapshot are. */
  readonly data: CheckpointData;
}

/**
 * Writes each entry of an operator's state, which is what a key holds in a state and namespace, as an object, and the
 * lists of entries. The folder must be empty. Memory is one window and one block per run of segments, and some entries.
 *
 * Emits each entry that was stored; `done` is called before it completes. Errors: `SerializerMissing`,
 * `StateSchemaMismatch`, `UnsupportedValue`, and those of segments and the store.
 */
export function exportEntries(
  options: ExportOptions,
  done: (exported: Omit<ExportedOperator, 'folder'>) => void,
): Observable<MovedObject> {
  return new Observable((out) => {
    const { operator, snapshot, data, clock } = options;
    const { maxParallelism, keyGroups, runs } = snapshot;
    const states = new ExportedStates(options);
    const writer = new EntryWriter({
      ...options,
      maxParallelism,
      state: (at) => states.at(at),
      stored: (object) => out.next(object),
    });
    const merge = new SegmentMerge({
      inputs: runs.map((run) => {
        const range = intersection(run.keyGroups, keyGroups);
        return range === undefined ? [] : run.segments.map((ref) => new SegmentReader(data, ref, range));
      }),
      run: writer,
      bottom: true,
      states: states.live,
      resolve: ({ footer }) => states.resolve(footer.schema),
    });
    const finished = new Observable<never>((end) => {
      const { entries, bytes, lists } = writer;
      done({ operator, maxParallelism, states: states.all, entries, bytes, lists });
      end.complete();
    });
    return concat(
      sliced(clock, () => merge.step()),
      finished,
    ).subscribe(out);
  });
}

interface OpenedState {
  readonly id: string;
  readonly name: string;
  schema?: EntrySchema;
}

/** The states of a snapshot, opened as segments turn out to have them. */
class ExportedStates {
  readonly #options: ExportOptions;
  /** In the order of ids, which is that of cells. */
  readonly #states: OpenedState[];
  /** By index. */
  readonly live: LiveState<unknown>[] = [];

  constructor(options: ExportOptions) {
    this.#options = options;
    this.#states = options.snapshot.states
      .flatMap(({ id, name }) => (name === undefined ? [] : { id, name }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get all(): ExportedOperator['states'] {
    return this.#states;
  }

  /** Maps the states of a segment to those here, or to -1 if they were dropped. */
  resolve({ states }: SegmentSchema): readonly number[] {
    return states.map((stored) => {
      const at = this.#states.findIndex(({ id }) => id === stored.id);
      const state = this.#states[at];
      if (state !== undefined) this.#open(at, state, stored);
      return at;
    });
  }

  at(index: number): { readonly name: string; readonly schema: EntrySchema } {
    const { name, schema } = this.#states[index] ?? {};
    if (name === undefined || schema === undefined)
      throw new RangeError('a cell is of a state that was resolved');
    return { name, schema };
  }

  #open(at: number, state: OpenedState, stored: StateSchema): void {
    const { operator } = this.#options;
    const { spec } = storedSpec(this.#options, state.name, stored, carrier);
    const { schema } = state;
    if (schema !== undefined) {
      if (schema.kind !== stored.kind || schema.serializer.id !== stored.serializer.id)
        throw mismatch(operator, `its segments have state ${state.name} of two kinds or serializers.`);
      return;
    }
    // Without a home, time stands still: nothing has expired.
    this.live[at] = spec.open(state.name);
    // Segments are opened from the newest run to the oldest.
    const { id, version } = spec.serializer;
    const type = spec.type ?? stored.type;
    state.schema = {
      kind: stored.kind,
      serializer: { id, version },
      ...(type === undefined ? {} : { type }),
    };
  }
}
