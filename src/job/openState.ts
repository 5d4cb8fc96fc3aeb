/**
 * Keyed state from outside: reads what the operators of a job hold at its last durable checkpoint, or in a savepoint,
 * while the job runs or not, with the rights to list and to read.
 */
import {
  catchError,
  concatMap,
  defer,
  distinctUntilChanged,
  from,
  map,
  of,
  ReplaySubject,
  share,
  switchMap,
  throwError,
  type Observable,
  type ObservableInput,
} from 'rxjs';
import { checkOptions, required, type OptionNames } from '../config/checkOptions.js';
import { plainUri } from '../path/index.js';
import {
  compareKeys,
  encodeKey,
  isKeyedState,
  namespaceOf,
  parseSnapshot,
  StateError,
  StoredState,
  storedKey,
  type KeyUse,
  userKey,
  type ContentsOf,
  type Key,
  type StateSpecs,
  type StoredEntry,
} from '../state/index.js';
import { checkpointSource, type CheckpointSource } from './checkpointSource.js';
import { exportState, type ExportStateOptions } from './exportState.js';
import { checkSign, signing, type SignOptions } from './signing.js';
import { folderUri, stateFolder, type StateProgress } from './stateFolder.js';
import { checkStores, StateStores, storesNames, type StateStoresOptions } from './stateStores.js';

export interface OpenStateOptions<S extends StateSpecs = StateSpecs> extends StateStoresOptions {
  /**
   * Declarations of states by name, as in the job. They give results their types. Required to read states with a custom
   * serializer; aggregates without a declaration are read as their accumulators. Default: none.
   */
  readonly states?: S;
  /** Rejects checkpoints that are not signed with these keys. Default: as configured. */
  readonly sign?: SignOptions;
}

/** The checkpoint that is read. */
export interface OpenedCheckpoint {
  readonly job: string;
  /** Its id; 0 if the job has not made any yet. */
  readonly checkpoint: number;
  /** When its manifest was written: milliseconds since the epoch. */
  readonly at: number;
  readonly savepoint: boolean;
}

/** The keyed state of an operator. */
export interface OperatorState {
  readonly operator: string;
  /** Bytes of its segments. */
  readonly bytes: number;
  /** Cells in its segments, with tombstones and what newer cells replace. */
  readonly cells: number;
  readonly segments: number;
  readonly states: readonly StateDescription[];
}

export interface StateDescription {
  readonly name: string;
  /** Such as `value` or `map`. Absent if nothing is stored yet. */
  readonly kind?: string;
  /** What wrote the state last. */
  readonly serializer?: { readonly id: string; readonly version: number };
  /** As in {@link OperatorState}. */
  readonly cells: number;
}

/** What a key holds in a namespace. */
export interface StateEntry<T = unknown> {
  readonly key: Key;
  /** Absent outside namespaces. */
  readonly namespace?: Key;
  readonly value: T;
}

export interface ReadEntriesOptions {
  /** Only this namespace. Default: all, and what is outside namespaces. */
  readonly namespace?: Key;
  /** The next request is sent when the result completes. Default: immediately. */
  readonly pace?: () => ObservableInput<unknown>;
}

/**
 * The state of a job at one checkpoint. It is found at the first subscription to one of the Observables; all read this
 * one. Each starts when it is subscribed, and unsubscribing aborts its requests.
 *
 * Errors of all: `StateNotFound`, `StateOvertaken` (the job has deleted data of the checkpoint meanwhile: open its state
 * again), `SerializerMissing`, `StateSchemaMismatch`, `SegmentCorrupt`, `SegmentMissing`, those of manifests
 * (`ManifestCorrupt`, `ManifestNotTrusted`, …) and of the store.
 */
export interface OpenedState<S extends StateSpecs = StateSpecs> {
  /** Emits the checkpoint. */
  checkpoint(): Observable<OpenedCheckpoint>;

  /** Emits each operator that has keyed state, in the order of ids. Takes one request a segment. */
  operators(): Observable<OperatorState>;

  /**
   * Emits once what a key holds, in a namespace if given: a value, or an array, map or list of timers, depending on
   * the kind of the state; `undefined` if it holds nothing. Reads a few blocks, whatever the size of the state.
   * Errors: `UnsupportedKey`, too.
   */
  get<N extends string>(
    operator: string,
    state: N,
    key: Key,
    options?: { readonly namespace?: Key },
  ): Observable<ContentsOf<S, N> | undefined>;

  /**
   * Emits each key that holds something, in no particular order. Requests what is next when all before has been
   * emitted, in bounded memory.
   */
  keys(operator: string, state: string, options?: ReadEntriesOptions): Observable<Key>;

  /** Like {@link keys}, with what each key holds, for each of its namespaces. */
  entries<N extends string>(
    operator: string,
    state: N,
    options?: ReadEntriesOptions,
  ): Observable<StateEntry<ContentsOf<S, N>>>;

  /**
   * Writes an object for each entry, which is what a key holds in a state and namespace, into an empty folder:
   *
   *     <to>/[<operator>/]<state>/<key group>/<key>[.<namespace>]<extension>
   *
   * Operators have folders of their own if several are exported. {@link importState} makes a savepoint of the folder.
   * Custom serializers need no declaration, unless several versions of one have written a state.
   *
   * Emits the progress, at the end with the URI of `_export.json`, which is written last. Each subscription is an
   * export. Memory does not grow with the state, but holds an entry as a whole. Requests in flight are as configured for
   * bulk copies.
   *
   * Errors: `InvalidOption`, `FolderNotEmpty`, `UnsupportedValue` (an entry of more than 1 GiB), too.
   *
   * @param to the URI of the folder. Default: `state.backend.s3.state-prefix` in the bucket and base path of the state
   * backend
   */
  export(to?: string, options?: ExportStateOptions): Observable<StateProgress>;

  /** Closes the stores that were opened here. */
  close(): void;
  [Symbol.dispose](): void;
}

const names: OptionNames<OpenStateOptions> = { ...storesNames, states: true, sign: true };

const getNames: OptionNames<{ readonly namespace?: Key }> = { namespace: true };
const exportNames: OptionNames<ExportStateOptions> = { operator: true };
const entriesNames: OptionNames<ReadEntriesOptions> = { namespace: true, pace: true };

/**
 * Opens the keyed state of a job for reading: `<checkpoint directory>/<name of the job>`, at its last durable
 * checkpoint; or that of a savepoint. Reading disturbs no job.
 *
 * @example
 * ```ts
 * using state = openState('s3://lake/checkpoints/clicks', { states: { clicks: valueState(0) } });
 * state.get('per-user', 'clicks', 'ada').subscribe((clicks) => console.log(clicks));
 * ```
 *
 * Errors: `InvalidOption`, `InvalidState`.
 */
export function openState<S extends StateSpecs>(
  uri: string,
  options: OpenStateOptions<S> = {},
): OpenedState<S> {
  checkOptions('openState', options, names);
  checkSign('openState', options.sign, 'sign');
  checkStores('openState', options);
  const declared = required('openState: states', options.states ?? {});
  const stores = new StateStores(options);
  const { clock } = stores;
  const source = once(
    defer(() =>
      checkpointSource({
        location: stores.open(uri),
        marker: stores.config.transfer.entropy.key,
        sign: signing(options.sign, 'sign') ?? signing(stores.config.checkpoints.sign),
      }),
    ).pipe(map((found) => ({ ...found, states: statesOf(found, declared) }))),
  );
  const reading = <T>(work: (found: Found) => Observable<T>): Observable<T> =>
    source.pipe(
      switchMap((found) =>
        defer(() => work(found)).pipe(catchError((error: unknown) => explained(found, error))),
      ),
    );
  const entries = (operator: string, state: string, how: ReadEntriesOptions): Observable<StoredEntry> =>
    reading((found) => {
      checkOptions('openState', how, entriesNames);
      const { namespace, pace } = how;
      const space = namespace === undefined ? undefined : encodeKey(storedKey(namespace, asked('namespace')));
      return operatorOf(found, operator).entries(state, { clock, namespace: space, pace });
    });
  const close = (): void => stores.close();
  return {
    checkpoint: () =>
      reading(({ manifest: { job, checkpoint, at, kind } }) =>
        of({ job, checkpoint, at, savepoint: kind === 'savepoint' }),
      ),
    operators: () => reading(({ states }) => from(states).pipe(concatMap(described))),
    get: (operator, state, key, how = {}) =>
      reading((found) => {
        checkOptions('openState', how, getNames);
        const { namespace } = how;
        const space =
          namespace === undefined ? noNamespace : encodeKey(storedKey(namespace, asked('namespace')));
        return operatorOf(found, operator).get(
          state,
          storedKey(key, asked('key')),
          space,
        ) as Observable<never>;
      }),
    keys: (operator, state, how = {}) =>
      entries(operator, state, how).pipe(
        map(({ key }) => key),
        distinctUntilChanged((a, b) => compareKeys(a, b) === 0),
        map(userKey),
      ),
    entries: (operator, state, how = {}) =>
      entries(operator, state, how).pipe(
        map(({ key, namespace, contents }) => {
          const space = namespaceOf(namespace);
          const value = contents as never;
          return { key: userKey(key), ...(space === undefined ? {} : { namespace: space }), value };
        }),
      ),
    export: (to, how = {}) =>
      reading((found) => {
        checkOptions('openState', how, exportNames);
        const { operator } = how;
        const { state, transfer } = stores.config;
        const folder = plainUri(
          folderUri(
            'openState(…).export(to)',
            to ?? state.exportDir,
            'the URI of a folder, unless state.exports.dir or state.backend.s3.bucket is configured',
          ),
          transfer.entropy.key,
        );
        return exportState({
          ...{ declared, clock, source: found, config: stores.config },
          states: operator === undefined ? [...found.states] : [[operator, operatorOf(found, operator)]],
          whole: operator === undefined,
          to: stateFolder(folder, stores.openTarget(folder)),
        });
      }),
    close,
    [Symbol.dispose]: close,
  };
}

interface Found extends CheckpointSource {
  /** By operator, in the order of ids. */
  readonly states: ReadonlyMap<string, StoredState>;
}

const noNamespace = new Uint8Array(0);

function statesOf({ manifest, data }: CheckpointSource, declared: StateSpecs): Found['states'] {
  const states = Object.entries(manifest.operators)
    .filter(([, { snapshot }]) => isKeyedState(snapshot))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([operator, { snapshot = null }]) => {
      const stored = { operator, snapshot: parseSnapshot(operator, snapshot), data, declared };
      return [operator, new StoredState(stored)] as const;
    });
  return new Map(states);
}

function operatorOf({ manifest, states }: Found, operator: string): StoredState {
  const state = states.get(operator);
  if (state !== undefined) return state;
  const there =
    states.size === 0
      ? 'No operator of the job has keyed state.'
      : `The operators with keyed state are ${[...states.keys()].join(', ')}.`;
  throw new StateError(
    'StateNotFound',
    `Checkpoint ${manifest.checkpoint} of job '${manifest.job}' has no keyed state of operator '${operator}'. ${there}`,
  );
}

function described([operator, stored]: readonly [string, StoredState]): Observable<OperatorState> {
  const segments = stored.snapshot.runs.flatMap((run) => run.segments);
  return stored.describe().pipe(
    map((states) => ({
      operator,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      cells: segments.reduce((sum, { cells }) => sum + cells, 0),
      segments: segments.length,
      states: states.map(({ name, schema, cells }) => ({
        name,
        ...(schema === undefined ? {} : { kind: schema.kind, serializer: schema.serializer }),
        cells,
      })),
    })),
  );
}

/** A segment that is gone may be garbage of a job that has gone on. */
function explained({ overtaken, manifest }: Found, error: unknown): Observable<never> {
  if (!(error instanceof StateError) || error.code !== 'SegmentMissing') return throwError(() => error);
  return overtaken.pipe(
    map((isOvertaken) => {
      if (!isOvertaken) throw error;
      throw new StateError(
        'StateOvertaken',
        `Checkpoint ${manifest.checkpoint} of job '${manifest.job}' cannot be read any more: the job has made later checkpoints, and deleted what they do not need. Open its state again, to read the newest. To read one state for a long time, use a savepoint, or let the job keep more checkpoints (checkpoints.retained).`,
        { cause: error },
      );
    }),
  );
}

/** Work that all subscribers share, and that is not repeated unless it failed. */
function once<T>(work: Observable<T>): Observable<T> {
  return work.pipe(
    share({ connector: () => new ReplaySubject<T>(1), resetOnComplete: false, resetOnRefCountZero: true }),
  );
}

/** For errors: what is read is given by the caller. */
const asked = (what: string): KeyUse => ({
  what: `The ${what} given to openState`,
  advice: 'pass one of them',
});
