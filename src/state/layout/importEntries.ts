import { isDeepStrictEqual } from 'node:util';
import {
  catchError,
  concat,
  concatMap,
  defer,
  filter,
  from,
  ignoreElements,
  map,
  mergeMap,
  of,
  switchMap,
  tap,
  type Observable,
} from 'rxjs';
import type { State } from '../../config/config.js';
import type { Clock, Frozen } from '../../flow/index.js';
import { isStoreError } from '../../store/errors.js';
import { listAll } from '../../store/helpers.js';
import type { CheckpointData } from '../../store/services.js';
import { noPath, type CellContent, type CellPath } from '../cells.js';
import { StateError } from '../errors.js';
import type { StoredKey } from '../keys/keys.js';
import type { StateSchema } from '../segment/format.js';
import { segmentRun, slicedRun } from '../runs/segmentRun.js';
import { SegmentWriter } from '../runs/segmentWriter.js';
import { snapshotJson, type Run } from '../backend/snapshot.js';
import type { FrozenCells } from '../state.js';
import { entryName, stateFolder } from './entryName.js';
import { corrupt, decodeEntry, type StoredEntry } from './entryObject.js';
import type { EntryPlace } from './exportEntries.js';
import { decodeSummary, summaryName, type ExportSummary } from './summary.js';

export interface ImportOptions {
  readonly from: EntryPlace;
  /** The operator that is to have the state. Default: the one that had it. */
  readonly operator?: string | undefined;
  /** Where segments go. */
  readonly data: CheckpointData;
  readonly files: Pick<State, 'compression' | 'extension' | 'partSize'>;
  readonly clock: Clock;
  readonly random: () => number;
}

/** What was imported, as an operator acks it. */
export interface Imported extends Frozen {
  readonly operator: string;
  readonly entries: number;
}

/** Downloads at a time. */
const concurrency = 16;

/**
 * Reads all entries of an export into memory, and writes them as one run of segments. Emits the snapshot. Errors:
 * `ExportIncomplete`, `EntryCorrupt`, and those of the store.
 */
export function importEntries(options: ImportOptions): Observable<Imported> {
  return summaryOf(options.from).pipe(
    switchMap((summary) => {
      const { maxParallelism, states, entries } = summary;
      const operator = options.operator ?? summary.operator;
      const tables = [...states].sort().map((name) => new EntryTable(name));
      return concat(
        from(tables).pipe(
          concatMap((table) => table.load(options.from, summary)),
          ignoreElements(),
        ),
        defer(() => {
          const found = tables.reduce((sum, table) => sum + table.entries, 0);
          if (found !== entries) throw incomplete(options.from, `it has ${found} of ${entries} entries`);
          const known = tables.filter(({ schema }) => schema !== undefined);
          const schema = {
            maxParallelism,
            states: known.flatMap((table) =>
              table.schema === undefined ? [] : { ...table.schema, id: table.name },
            ),
          };
          const run = segmentRun({ ...options, operator, schema });
          const writer = new SegmentWriter(known, run, maxParallelism);
          return concat(
            slicedRun(options.clock, () => writer.step(), run),
            defer(() => {
              const keyGroups = { first: 0, last: maxParallelism - 1 };
              const runs: Run[] = run.refs.length === 0 ? [] : [{ keyGroups, segments: run.refs }];
              return of({
                operator,
                entries,
                snapshot: snapshotJson({
                  maxParallelism,
                  keyGroups,
                  states: states.map((name) => ({ id: name, name })),
                  runs,
                }),
                objects: run.refs.map(({ object }) => object),
              });
            }),
          );
        }),
      );
    }),
  );
}

function summaryOf(place: EntryPlace): Observable<ExportSummary> {
  const { store, prefix } = place;
  return store.get(prefix + summaryName).pipe(
    map(({ chunks }) => decodeSummary(prefix + summaryName, Buffer.concat(chunks))),
    catchError((error: unknown) => {
      if (!isStoreError(error, 'NotFound')) throw error;
      throw incomplete(place, `it has no ${summaryName}, which is written last`);
    }),
  );
}

function incomplete({ store, prefix }: EntryPlace, why: string): StateError {
  return new StateError(
    'ExportIncomplete',
    `${store.uri}/${prefix} has no complete export of state: ${why}. Export the state again, to an empty folder.`,
  );
}

/** The cells of one state. */
class EntryTable implements FrozenCells {
  readonly #keys: StoredKey[] = [];
  readonly #paths: CellPath[] = [];
  readonly #contents: CellContent[] = [];
  /** Undefined until the first entry is read. */
  schema: Omit<StateSchema, 'id'> | undefined;
  entries = 0;

  constructor(readonly name: string) {}

  load({ store, prefix }: EntryPlace, summary: ExportSummary): Observable<unknown> {
    return listAll(store, `${prefix}${stateFolder(this.name)}/`).pipe(
      concatMap((objects) => objects),
      filter(({ key }) => key.endsWith(summary.extension)),
      mergeMap(
        ({ key }) =>
          store.get(key).pipe(
            tap(({ chunks }) => {
              const entry = decodeEntry(key, Buffer.concat(chunks));
              const { state, key: of, namespace } = entry;
              const name = entryName(state, of, namespace, summary.maxParallelism);
              if (state !== this.name || key !== prefix + name + summary.extension)
                throw corrupt(key, 'it is the object of another entry');
              this.#add(key, entry);
            }),
          ),
        concurrency,
      ),
    );
  }

  get size(): number {
    return this.#keys.length;
  }

  key(cell: number): StoredKey {
    return this.#keys[cell] ?? null;
  }

  path(cell: number): CellPath {
    return this.#paths[cell] ?? noPath;
  }

  read(cell: number): unknown {
    return this.#contents[cell];
  }

  encode(content: unknown): CellContent {
    return content;
  }

  stored(): void {
    // Nothing to keep.
  }

  removeCleared(): number {
    return 0;
  }

  giveBack(): void {
    // Nothing to keep.
  }

  #add(object: string, { schema, key, namespace, cells }: StoredEntry): void {
    this.schema ??= schema;
    if (!isDeepStrictEqual(schema, this.schema))
      throw corrupt(object, 'its state has another kind or serializer than in other objects');
    this.entries++;
    for (const { subKey, content } of cells) {
      this.#keys.push(key);
      this.#paths.push({ namespace, subKey });
      this.#contents.push(content);
    }
  }
}
