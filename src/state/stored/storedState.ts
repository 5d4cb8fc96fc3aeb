import {
  concat,
  concatMap,
  defer,
  from,
  ignoreElements,
  map,
  of,
  reduce,
  takeWhile,
  tap,
  toArray,
  type Observable,
} from 'rxjs';
import type { CheckpointData } from '../../store/services.js';
import { Operand } from '../cells.js';
import { StateError } from '../errors.js';
import { KeyCells, type CellOrigin, type NamedSpec } from './keyCells.js';
import { hashOf, intersection, keyGroupOf } from '../keys/keyGroups.js';
import type { StoredKey } from '../keys/keys.js';
import { PointReader, type FoundCell } from '../segment/pointReader.js';
import type { StateSchema } from '../segment/format.js';
import type { SegmentRef } from '../segment/segmentObject.js';
import { SegmentReader } from '../segment/reader.js';
import type { StateSnapshot } from '../backend/snapshot.js';
import { storedSpec, type ReadStates } from './storedSpec.js';
import { storedEntries, type StoredEntriesOptions, type StoredEntry } from './storedEntries.js';

export interface StoredStateOptions extends ReadStates {
  readonly snapshot: StateSnapshot;
  readonly data: CheckpointData;
}

/** A state as segments describe it. */
export interface StoredStateInfo {
  readonly name: string;
  /** Undefined if no segment has the state. */
  readonly schema: StateSchema | undefined;
  /** Cells in segments, with tombstones and what newer cells replace. */
  readonly cells: number;
}

/** The cells of one key and namespace in one segment. */
interface Lookup extends CellOrigin {
  readonly of: NamedSpec;
  readonly cells: readonly FoundCell[];
}

/**
 * The keyed state of one operator at one checkpoint, read from its segments. Only footers and pages of indexes stay in
 * memory.
 *
 * - **One key** is looked up in each run, newest first. Of a kind with a single cell, the first value or tombstone ends
 *   the search; operands need what is older, too. Of other kinds, all cells of the key are read.
 * - **All entries** are read by walking through all runs in the order of addresses.
 *
 * The cells of one key and namespace are loaded as a restore loads them, and read through the handle of their kind.
 *
 * Errors: `StateNotFound` for a state, `SerializerMissing`, `StateSchemaMismatch`, and those of {@link PointReader}.
 */
export class StoredState {
  readonly #options: StoredStateOptions;
  readonly #readers = new Map<string, PointReader>();

  constructor(options: StoredStateOptions) {
    this.#options = options;
  }

  get snapshot(): StateSnapshot {
    return this.#options.snapshot;
  }

  /** Describes all states, with one request a segment. */
  describe(): Observable<readonly StoredStateInfo[]> {
    const { states, runs } = this.snapshot;
    return from(runs.flatMap(({ segments }) => segments)).pipe(
      concatMap((ref) => this.#reader(ref).footer()),
      reduce((all, { schema, cellsOf }) => {
        schema.states.forEach((state, i) => {
          const cells = (all.get(state.id)?.cells ?? 0) + (cellsOf[i] ?? 0);
          all.set(state.id, { schema: state, cells });
        });
        return all;
      }, new Map<string, Omit<StoredStateInfo, 'name'>>()),
      map((all) =>
        states.flatMap(({ id, name }) =>
          name === undefined ? [] : { name, ...(all.get(id) ?? { schema: undefined, cells: 0 }) },
        ),
      ),
    );
  }

  /**
   * Emits once what a key holds in a namespace, `undefined` if nothing.
   *
   * @param namespace encoded; empty for none
   */
  get(name: string, key: StoredKey, namespace: Uint8Array): Observable<unknown> {
    return defer(() => {
      const id = this.#idOf(name);
      const newestFirst: Lookup[] = [];
      return concat(
        from(this.#segmentsOf(key)).pipe(
          concatMap((ref) => this.#lookUp(name, id, key, namespace, ref)),
          tap((found) => newestFirst.push(found)),
          takeWhile(({ of: { spec }, cells }) => spec.singleCell !== true || cells.every(isOperand)),
          ignoreElements(),
        ),
        defer(() => {
          const [newest] = newestFirst;
          if (newest === undefined) return of(undefined);
          const loaded = new KeyCells(newest.of, key, namespace);
          for (const { cells, ...origin } of newestFirst.reverse())
            for (const { path, content } of cells) loaded.load(path, content, origin);
          return of(loaded.contents());
        }),
      );
    });
  }

  /** Emits what each key holds in each namespace, in the order of addresses. */
  entries(name: string, options: StoredEntriesOptions): Observable<StoredEntry> {
    return defer(() => {
      const id = this.#idOf(name);
      const { keyGroups, runs } = this.snapshot;
      const inputs = runs.map((run) => {
        const range = intersection(run.keyGroups, keyGroups);
        if (range === undefined) return [];
        return run.segments.map((ref) => new SegmentReader(this.#options.data, ref, range));
      });
      const resolve = ({ footer }: SegmentReader): readonly number[] =>
        footer.schema.states.map((state) => (state.id === id ? 0 : -1));
      return storedEntries({ inputs, resolve }, (schema) => storedSpec(this.#options, name, schema), options);
    });
  }

  /** Completes without emitting if the segment does not have the state. */
  #lookUp(
    name: string,
    id: string,
    key: StoredKey,
    namespace: Uint8Array,
    ref: SegmentRef,
  ): Observable<Lookup> {
    const reader = this.#reader(ref);
    return reader.footer().pipe(
      concatMap(({ schema: { states } }) => {
        const state = states.findIndex((each) => each.id === id);
        const schema = states[state];
        if (schema === undefined) return [];
        const named = storedSpec(this.#options, name, schema);
        const cells =
          named.spec.singleCell === true
            ? reader.get({ key, state, path: { namespace, subKey: noSubKey } })
            : reader.all(key, state, namespace);
        return cells.pipe(
          toArray(),
          map((found) => ({ of: named, cells: found, schema, object: ref.object })),
        );
      }),
    );
  }

  /** The segments that may have cells of a key, those of the newest run first. */
  #segmentsOf(key: StoredKey): readonly SegmentRef[] {
    const { maxParallelism, keyGroups, runs } = this.snapshot;
    const hash = hashOf(key);
    const group = keyGroupOf(hash, maxParallelism);
    const inRange = ({ first, last }: { readonly first: number; readonly last: number }): boolean =>
      first <= group && group <= last;
    if (!inRange(keyGroups)) return [];
    const isAfter = ({ first }: SegmentRef): number =>
      first === undefined ? 0 : first[0] - group || first[1] - hash;
    return runs.toReversed().flatMap((run) =>
      inRange(run.keyGroups)
        ? run.segments.filter((ref, i, { [i + 1]: next }) => {
            return isAfter(ref) <= 0 && (next === undefined || isAfter(next) >= 0);
          })
        : [],
    );
  }

  #reader(ref: SegmentRef): PointReader {
    let reader = this.#readers.get(ref.object);
    if (reader === undefined)
      this.#readers.set(ref.object, (reader = new PointReader(this.#options.data, ref)));
    return reader;
  }

  #idOf(name: string): string {
    const { states } = this.snapshot;
    const found = states.find((state) => state.name === name);
    if (found !== undefined) return found.id;
    const names = states.flatMap((state) => state.name ?? []).sort();
    throw new StateError(
      'StateNotFound',
      `Operator ${this.#options.operator} has no state ${name}. Its states are ${names.join(', ')}.`,
    );
  }
}

const noSubKey = new Uint8Array(0);

const isOperand = ({ content }: FoundCell): boolean => content instanceof Operand;
