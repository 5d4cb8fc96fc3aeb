import { isDeepStrictEqual } from 'node:util';
import { catchError, concat, defer, EMPTY, from, ignoreElements, map, mergeMap, Observable, tap } from 'rxjs';
import type { State } from '../../config/config.js';
import type { Clock } from '../../flow/index.js';
import { isStoreError } from '../../store/errors.js';
import type { CheckpointData } from '../../store/services.js';
import { compareBytes } from '../keys/encodedKeys.js';
import { StateError } from '../errors.js';
import { hashOf, keyGroupOf, type KeyGroupRange } from '../keys/keyGroups.js';
import { encodeKey } from '../keys/keys.js';
import type { RunWriter } from '../runs/runWriter.js';
import type { SegmentSchema } from '../segment/format.js';
import type { SegmentRef } from '../segment/segmentObject.js';
import { segmentRun, slicedRun } from '../runs/segmentRun.js';
import type { Step } from '../slices.js';
import { snapshotJson, type StateSnapshot } from '../backend/snapshot.js';
import { decodeList, listName, longestList, type ListedEntry } from './entryList.js';
import { entryName } from './entryName.js';
import { corrupt, decodeEntry, type LayoutEntry } from './entryObject.js';
import type { EntryPlace, MovedObject } from './entryWriter.js';
import type { ExportedOperator, ExportedState } from './summary.js';

export interface ImportOptions {
  /** The operator's folder. */
  readonly from: EntryPlace;
  readonly exported: ExportedOperator;
  /** Of the export. Default all. */
  readonly keyGroups?: KeyGroupRange | undefined;
  /** Ends the names of entries. */
  readonly extension: string;
  /** Where segments go. */
  readonly data: CheckpointData;
  readonly files: Pick<State, 'compression' | 'extension' | 'partSize'>;
  /** Requests in flight. */
  readonly concurrency: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The keyed state of an operator, as segments. */
export interface ImportedOperator {
  readonly operator: string;
  readonly snapshot: ReturnType<typeof snapshotJson>;
  readonly segments: readonly SegmentRef[];
}

/**
 * Reads the entries of an operator in the order of their lists, and writes them as one run of segments. Memory is a
 * list, one block of a segment, and some entries.
 *
 * Emits each entry that was read; `done` is called before it completes. Errors: `EntryMissing`, `EntryCorrupt`, and
 * those of the store.
 */
export function importEntries(
  options: ImportOptions,
  done: (imported: ImportedOperator) => void,
): Observable<MovedObject> {
  return new Observable((out) => {
    const { exported, clock } = options;
    const { operator, maxParallelism, states } = exported;
    const stored = states.filter(({ schema }) => schema !== undefined);
    const schema: SegmentSchema = {
      maxParallelism,
      states: stored.flatMap(({ id, schema: known }) => (known === undefined ? [] : { ...known, id })),
    };
    const run = segmentRun({ ...options, operator, schema });
    const reader = new EntryReader(options, stored, run, (object) => out.next(object));
    const finished = new Observable<never>((end) => {
      const segments = run.refs;
      const { keyGroups = { first: 0, last: maxParallelism - 1 } } = options;
      const snapshot: Omit<StateSnapshot, 'kind' | 'version'> = {
        ...{ maxParallelism, keyGroups },
        states: states.map(({ id, name }) => ({ id, name })),
        runs: segments.length === 0 ? [] : [{ keyGroups, segments }],
      };
      done({ operator, snapshot: snapshotJson(snapshot), segments });
      end.complete();
    });
    return concat(
      slicedRun(clock, () => reader.step(), run),
      finished,
    ).subscribe(out);
  });
}

/** An entry with its place among the others. */
interface PlacedEntry extends LayoutEntry {
  readonly object: string;
  readonly group: number;
  readonly hash: number;
  readonly encodedKey: Uint8Array;
  /** The index of its state. */
  readonly at: number;
}

/** Bytes of entries that are read together. */
const enough = 8 * 2 ** 20;
/** Cells that a step adds. */
const slice = 1024;

class EntryReader {
  readonly #options: ImportOptions;
  readonly #states: readonly ExportedState[];
  readonly #run: RunWriter;
  readonly #read: (object: MovedObject) => void;
  #lists = 0;
  /** Of the current list. */
  #listed: readonly ListedEntry[] = [];
  #next = 0;
  /** Read and not yet added, in order. */
  #ready: PlacedEntry[] = [];
  #last: PlacedEntry | undefined;
  #cell = 0;
  #entries = 0;
  #done = false;

  /** @param read called when an entry has been read */
  constructor(
    options: ImportOptions,
    states: readonly ExportedState[],
    run: RunWriter,
    read: (object: MovedObject) => void,
  ) {
    this.#options = options;
    this.#states = states;
    this.#run = run;
    this.#read = read;
  }

  step(): Step {
    if (this.#done) return 'done';
    if (this.#run.encoder.full) return this.#run.flush();
    const [entry] = this.#ready;
    if (entry !== undefined) return this.#add(entry);
    if (this.#next < this.#listed.length) return this.#fetch();
    const { exported } = this.#options;
    if (this.#lists < exported.lists) return this.#list();
    if (this.#entries !== exported.entries)
      throw corrupt(
        this.#key(listName(this.#lists)),
        `the lists have ${this.#entries} of ${exported.entries} entries`,
      );
    this.#done = true;
    return this.#run.finish();
  }

  /** Reads the next list. */
  #list(): Step {
    const key = this.#key(listName(++this.#lists));
    return got(this.#options.from, key, longestList).pipe(
      tap((bytes) => {
        this.#listed = decodeList(key, bytes);
        this.#next = 0;
        this.#entries += this.#listed.length;
      }),
    );
  }

  /** Reads the next entries. */
  #fetch(): Step {
    const { from: place, concurrency } = this.#options;
    const batch: ListedEntry[] = [];
    for (let bytes = 0; batch.length < 4 * concurrency && bytes < enough;) {
      const entry = this.#listed[this.#next];
      if (entry === undefined) break;
      this.#next++;
      batch.push(entry);
      bytes += entry.bytes;
    }
    const found: PlacedEntry[] = [];
    return concat(
      from(batch).pipe(
        mergeMap(({ name, bytes }, i) => {
          const key = this.#key(name);
          return got(place, key, bytes).pipe(
            tap((body) => {
              if (body.length !== bytes) throw corrupt(key, `it has ${body.length} bytes, not ${bytes}`);
              found[i] = this.#placed(key, decodeEntry(key, body));
              this.#read({ key, bytes });
            }),
          );
        }, concurrency),
        ignoreElements(),
      ),
      defer(() => {
        this.#ready = found;
        return EMPTY;
      }),
    );
  }

  /** Adds cells of an entry. */
  #add(entry: PlacedEntry): Step {
    const { encoder } = this.#run;
    const { object, group, hash, key, namespace, at, cells } = entry;
    if (this.#cell === 0) this.#checkOrder(entry);
    for (const { subKey, content } of cells.slice(this.#cell, this.#cell + slice)) {
      const before = cells[this.#cell - 1];
      if (before !== undefined && compareBytes(before.subKey, subKey) >= 0)
        throw corrupt(object, 'its sub-keys are not in order');
      encoder.add(group, hash, key, at, { namespace, subKey }, content);
      this.#cell++;
      if (encoder.full) break;
    }
    if (this.#cell === cells.length) {
      this.#ready.shift();
      this.#cell = 0;
    }
    return 'more';
  }

  #placed(object: string, entry: LayoutEntry): PlacedEntry {
    const { exported, extension } = this.#options;
    const { state, key, namespace, schema } = entry;
    if (object !== this.#key(entryName(state, key, namespace, exported.maxParallelism) + extension))
      throw corrupt(object, 'it is the object of another entry');
    const at = this.#states.findIndex(({ name }) => name === state);
    if (at < 0) throw corrupt(object, 'the export does not have its state');
    if (!isDeepStrictEqual(schema, this.#states[at]?.schema))
      throw corrupt(object, 'its kind or serializer is not that of its state');
    if (entry.cells.length === 0) throw corrupt(object, 'it holds nothing');
    const hash = hashOf(key);
    const group = keyGroupOf(hash, exported.maxParallelism);
    return { ...entry, object, group, hash, encodedKey: encodeKey(key), at };
  }

  #checkOrder(entry: PlacedEntry): void {
    const before = this.#last;
    this.#last = entry;
    if (before === undefined) return;
    const order = compareEntries(before, entry);
    if (order === 0) throw corrupt(entry.object, 'its entry is listed twice');
    if (order > 0)
      throw corrupt(entry.object, `the list has it after ${before.object}, and its entry is before that one`);
  }

  #key(name: string): string {
    return this.#options.from.prefix + name;
  }
}

/** The order of cells in segments. */
function compareEntries(a: PlacedEntry, b: PlacedEntry): number {
  return (
    a.group - b.group ||
    a.hash - b.hash ||
    compareBytes(a.encodedKey, b.encodedKey) ||
    a.at - b.at ||
    compareBytes(a.namespace, b.namespace)
  );
}

/** An object of an export. Reads at most a given number of bytes. Errors: `EntryMissing`, and those of the store. */
export function got({ store }: Pick<EntryPlace, 'store'>, key: string, most: number): Observable<Buffer> {
  return store.get(key, { range: { start: 0, end: most + 1 } }).pipe(
    map(({ chunks }) => Buffer.concat(chunks)),
    catchError((cause: unknown) => {
      if (!isStoreError(cause, 'NotFound')) throw cause;
      throw new StateError(
        'EntryMissing',
        `The export lacks the object ${key} of ${store.uri}. Export the state again, to an empty folder.`,
        { cause },
      );
    }),
  );
}
