import { catchError, concat, concatMap, defer, finalize, from, map, throwError, type Observable } from 'rxjs';
import { SavepointWriter, type SavepointContent } from '../checkpoint/index.js';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { plainUri } from '../path/index.js';
import { StateError } from '../state/index.js';
import {
  checkFolder,
  decodeSummary,
  got,
  importEntries,
  largestSummary,
  summaryName,
  type ExportSummary,
  type ImportedOperator,
} from '../state/layout/index.js';
import { checkSign, signing, type SignOptions } from './signing.js';
import {
  checkEmpty,
  folderUri,
  progressOf,
  requestsOf,
  stateFolder,
  type StateFolder,
  type StateProgress,
} from './stateFolder.js';
import { checkStores, StateStores, storesNames, type StateStoresOptions } from './stateStores.js';

export interface ImportStateOptions extends StateStoresOptions {
  /** Signs the savepoint with the first key. Default: as configured. */
  readonly sign?: SignOptions;
}

const names: OptionNames<ImportStateOptions> = { ...storesNames, sign: true };

/**
 * Makes a savepoint of exported state, for a job to start from. `folder` is that of `openState(…).export(…)`. `to` is the
 * folder of the savepoint, which must be empty. The content of an export is trusted: import only your own.
 *
 * 1. **Check** that the target is empty, and that the export is complete and has no other objects.
 * 2. **Segments** of one operator after the other, as its entries are read. *Crash:* a folder without a root, which
 *    `SavepointIncomplete` reports.
 * 3. **Root.** Written last, by one request: the savepoint exists. *Crash:* as in 2, or it is complete.
 *
 * Emits the progress, at the end with the URI of the savepoint's root. Each subscription is an import; unsubscribing
 * aborts it.
 *
 * @example
 * ```ts
 * importState('s3://lake/state', 's3://lake/savepoints/imported').subscribe(({ objects }) => console.log(objects.done));
 * // once it has completed: createJob({ name: 'clicks-2', from: 's3://lake/savepoints/imported' })
 * ```
 *
 * Errors: `InvalidOption`; `StateNotFound` (there is no export), `ExportIncomplete`, and those of an object, which they
 * name: `EntryMissing`, `EntryForeign`, `EntryCorrupt`; `FolderNotEmpty`, `ManifestTooLarge`, and those of the stores.
 */
export function importState(
  folder: string,
  to: string,
  options: ImportStateOptions = {},
): Observable<StateProgress> {
  checkOptions('importState', options, names);
  checkSign('importState', options.sign, 'sign');
  checkStores('importState', options);
  folderUri('importState(folder)', folder);
  folderUri('importState(…, to)', to);
  return defer(() => {
    const stores = new StateStores(options);
    return defer(() => {
      const key = (signing(options.sign, 'sign') ?? signing(stores.config.checkpoints.sign))?.keys[0];
      const { key: marker } = stores.config.transfer.entropy;
      const [exported, made] = [plainUri(folder, marker), plainUri(to, marker)];
      const source = stateFolder(exported, stores.open(exported));
      const target = stateFolder(made, stores.openTarget(made));
      return concat(
        checkEmpty(target, 'a savepoint'),
        summaryOf(source).pipe(concatMap((summary) => imported(summary, { stores, source, target, key }))),
      );
    }).pipe(finalize(() => stores.close()));
  });
}

interface Import {
  readonly stores: StateStores;
  readonly source: StateFolder;
  readonly target: StateFolder;
  readonly key: string | undefined;
}

function imported(
  summary: ExportSummary,
  { stores: { config, clock }, source, target, key }: Import,
): Observable<StateProgress> {
  const { extension } = summary;
  const writer = new SavepointWriter(target.location, Math.random);
  const total = {
    objects: summary.operators.reduce((sum, { entries }) => sum + entries, 0),
    bytes: summary.operators.reduce((sum, { bytes }) => sum + bytes, 0),
  };
  const operators: ImportedOperator[] = [];
  const entries = from(summary.operators).pipe(
    concatMap((exported) =>
      importEntries(
        {
          ...{
            exported,
            keyGroups: summary.keyGroups,
            extension,
            clock,
            data: writer.data,
            files: config.state,
          },
          from: { store: source.store, prefix: source.prefix + exported.folder },
          concurrency: requestsOf(config.transfer),
          random: Math.random,
        },
        (done) => operators.push(done),
      ),
    ),
    progressOf(source, total),
  );
  const root = defer(() =>
    writer.finish(contentOf(summary, operators), key).pipe(
      map((name) => ({
        objects: { done: total.objects, total: total.objects },
        bytes: { done: total.bytes, total: total.bytes },
        uri: target.uri(target.prefix + name),
      })),
    ),
  );
  return concat(checkFolder(source, summary), entries, root);
}

function contentOf(
  { job, checkpoint, at, others, keyGroups, finished }: ExportSummary,
  imported: readonly ImportedOperator[],
): SavepointContent {
  const keyed = imported.map(({ operator, snapshot, segments }) => {
    const objects = segments.map(({ object }) => object);
    return [operator, { kind: 'operator' as const, snapshot, objects }] as const;
  });
  const plain = Object.entries(others).map(
    ([id, other]) => [id, { ...other, objects: [] as string[] }] as const,
  );
  const sizes = imported.flatMap(({ segments }) =>
    segments.map(({ object, bytes }) => [object, bytes] as const),
  );
  return {
    ...{ job, checkpoint, at, finished },
    ...(keyGroups === undefined ? {} : { keyGroups }),
    operators: Object.fromEntries<SavepointContent['operators'][string]>([...plain, ...keyed]),
    sizes: new Map(sizes),
  };
}

/** Reads the root of an export. Errors: `StateNotFound`, `ExportIncomplete`, `EntryCorrupt`. */
function summaryOf({ store, prefix, uri }: StateFolder): Observable<ExportSummary> {
  const key = prefix + summaryName;
  return got({ store }, key, largestSummary).pipe(
    map((bytes) => decodeSummary(key, bytes)),
    catchError((error: unknown) => {
      if (!(error instanceof StateError) || error.code !== 'EntryMissing') return throwError(() => error);
      return store.list({ prefix, limit: 1 }).pipe(
        map(({ objects }) => {
          throw objects.length === 0
            ? new StateError(
                'StateNotFound',
                `${uri(prefix)} has no exported state. Check the URI: it is that of the folder.`,
              )
            : new StateError(
                'ExportIncomplete',
                `${uri(prefix)} has no complete export of state: ${summaryName}, which is written last, is missing. The export was interrupted, or is still running. Export the state again, to an empty folder.`,
              );
        }),
      );
    }),
  );
}
