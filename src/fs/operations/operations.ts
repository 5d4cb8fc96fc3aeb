import { concat, defer, EMPTY, finalize, type Observable } from 'rxjs';
import { checkOptions, required, type OptionNames } from '../../config/checkOptions.js';
import { defaultConfig, loadConfig, type Config } from '../../config/index.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { allowances } from '../../job/memory/index.js';
import { answeringStores } from '../../store/decorators/answering.js';
import { openStores, type OpenedStores } from '../../store/open.js';
import type { Stores } from '../../store/services.js';
import type {
  AbortOptions,
  BulkCopyOptions,
  BulkProgress,
  CopyOptions,
  CopyPair,
  Entry,
  ListOptions,
  MoveOptions,
  Progress,
  ReadOptions,
  RemoveOptions,
  Stat,
  UploadEntry,
  WriteBody,
  WriteOptions,
  Written,
} from '../types.js';
import { Contents } from '../contents.js';
import {
  abortNames,
  bulkCopyNames,
  copyNames,
  listNames,
  pairNames,
  readNames,
  removeNames,
  writeNames,
} from '../optionNames.js';
import { copy } from './copy.js';
import { list, walk } from './list.js';
import { makeDirectory } from './makeDirectory.js';
import { move } from './move.js';
import { globbed, placeOf, type Place } from './place.js';
import { remove } from './remove.js';
import { exists, stat } from './stat.js';
import { Cleanups } from './transfer/cleanups.js';
import { copySettingsOf } from './transfer/copySettings.js';
import type { CopySettings } from './transfer/object.js';
import { tasksOfPairs } from './transfer/tasks.js';
import { transfer } from './transfer/transfer.js';
import { UnlistedPolicy } from './unlisted.js';
import { abortUploads, uploads } from './uploads.js';

export interface OperationsOptions {
  /** Opens the stores. Default: all schemes, configured by `config`; `close` closes them. */
  readonly stores?: Stores;
  /** Default: `loadConfig()`, when the first operation starts. */
  readonly config?: Config;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

const names: OptionNames<OperationsOptions> = { stores: true, config: true, clock: true };

/** File operations on every store. Each starts when it is subscribed, and unsubscribing aborts its requests. */
export interface Operations {
  /**
   * Lists the objects and directories directly in a directory, in the order of their names, page by page. An object is listed
   * as itself. Errors: `NotFound` (a bucket may be empty), `ListFailed` (at the end, with the entries of a local directory
   * that are not objects).
   */
  list(uri: string, options?: ListOptions): Observable<Entry>;

  /**
   * All objects below a directory, in key order, by one listing. With wildcards (`*`, `**`, `?`, `[a-z]`, `{a,b}`;
   * percent-encoded they are ordinary characters), all matching objects, possibly none. Errors: `NotFound`, `InvalidGlob`,
   * `ListFailed`.
   */
  walk(uri: string, options?: ListOptions): Observable<Entry>;

  /** The object of a URI, with its metadata, or the directory. Errors: `NotFound`. */
  stat(uri: string): Observable<Stat>;

  /** Whether there is an object or a directory. Errors: `PermissionDenied` and all others except `NotFound`. */
  exists(uri: string): Observable<boolean>;

  /**
   * Removes an object, an empty directory, or with `recursive` a directory with its content. Errors: `NotEmpty`,
   * `WholeBucket`, `NotFound` (`mustExist`), `RemoveFailed` (with all that could not be removed; the others were).
   */
  remove(uri: string, options?: RemoveOptions): Observable<Progress>;

  /** Makes an empty directory visible by a marker, an empty object whose key ends in a slash. Keeps an existing directory. */
  makeDirectory(uri: string): Observable<Entry>;

  /**
   * Copies an object, or the content of a directory. If the target ends in a slash, an object keeps its name. One server
   * copies by itself; otherwise data passes through this process, a few parts at a time. Metadata and content headers are
   * copied, too. Unsubscribing leaves no upload and no partial object. Errors: `NotFound`, `AlreadyExists`
   * (`overwrite: false`), `SamePlace`, `IntoItself`, `Overlap`, `OutsideTarget` (a link in a local target directory leads out
   * of it), `PreconditionFailed` (the source has changed meanwhile); for a directory `CopyFailed`, with all that could not be
   * copied; the others were.
   */
  copy(from: string, to: string, options?: CopyOptions): Observable<Progress>;

  /**
   * Copies, verifies, and then deletes, a directory page by page. An interruption loses nothing, and moving again finishes it.
   * Nothing is deleted until source and target are proven to be different objects, whatever their names. Errors: as `copy`,
   * and `NotVerified` (another process has written to source or target meanwhile).
   */
  move(from: string, to: string, options?: MoveOptions): Observable<Progress>;

  /**
   * Copies objects, directories and globs, one pair or many, of any size and number in bounded memory, and resumes an
   * interrupted copy. A failure does not stop the others. Errors: as `copy`, all failures in one `CopyFailed`.
   *
   * ```ts
   * import { createOperations } from 'millrace/operations';
   *
   * const { bulkCopy } = createOperations();
   * bulkCopy({ from: 'file:///data/raw/', to: 's3://lake/raw/' }).subscribe(({ bytes }) => console.log(bytes.done, bytes.total));
   * ```
   */
  bulkCopy(what: CopyPair | readonly CopyPair[], options?: BulkCopyOptions): Observable<BulkProgress>;

  /**
   * An object's bytes, or a range of them, in order, all of one version, in chunks as received. Without backpressure: slow
   * consumers use `createReadStream` of `millrace/fs`. Errors: `NotFound`, `PreconditionFailed` (the object does not match
   * `ifMatch`, or was replaced while it was read).
   */
  read(uri: string, options?: ReadOptions): Observable<Uint8Array>;

  /**
   * Writes an object of any size, in parts if it is large; emits once, when it is published. Nothing is visible before, and an
   * error or an unsubscribe leaves nothing. Errors: `AlreadyExists`, `PreconditionFailed`, `Integrity`.
   *
   * ```ts
   * import { createOperations } from 'millrace/operations';
   *
   * const { write } = createOperations();
   * write('s3://lake/notes.txt', 'hello', { assumeObjectNotExists: true }).subscribe(({ etag }) => console.log(etag));
   * ```
   */
  write(uri: string, body: WriteBody, options?: WriteOptions): Observable<Written>;

  /** The unfinished multipart uploads of all keys that start with the URI's key. */
  uploads(uri: string): Observable<UploadEntry>;

  /**
   * Aborts old uploads of keys that start with the URI's key; emits each aborted one. Errors: `AbortFailed`, with all that
   * could not be aborted; the others were.
   */
  abortUploads(uri: string, options: AbortOptions): Observable<UploadEntry>;

  /**
   * Waits for the clean-up of ended operations (aborting uploads after an unsubscribe), closes the stores that were opened
   * here, and completes. Call it when no operation is running.
   */
  close(): Observable<never>;
}

/**
 * Operations on objects and directories of any store, by URI.
 *
 * @example
 * ```ts
 * import { createOperations } from 'millrace/operations';
 *
 * const { walk } = createOperations();
 * walk('s3://lake/raw/**' + '/*.ndjson').subscribe(({ uri, size }) => console.log(uri, size));
 * ```
 */
export function createOperations(options: OperationsOptions = {}): Operations {
  checkOptions('createOperations', options, names);
  const { clock = systemClock } = options;
  const cleanups = new Cleanups();
  let loaded = options.config;
  let opened: OpenedStores | undefined;
  // Lazily: a wrong configuration is an error of the operation.
  const config = (): Config => (loaded ??= loadConfig());
  const given = options.stores && answeringStores(options.stores);
  const stores = (): Stores =>
    given ?? (opened ??= openStores({ s3: config().s3, logger: config().logger, clock }));
  // With given stores, no configuration file is read.
  const transferConfig = (): Config['transfer'] =>
    (options.stores === undefined ? config() : (options.config ?? defaultConfig())).transfer;
  const open = (uri: string): Place => placeOf(stores(), uri);
  const allow = allowances(clock, () => transferConfig().memoryBudget);
  const around = { allow, cleanups, clock, open };
  const at = <T>(uri: string, operation: (place: Place) => Observable<T>): Observable<T> =>
    defer(() => operation(open(uri)));
  const copying = (
    from: string,
    to: string,
    options: CopyOptions,
    removesSource: boolean,
    operation: (
      from: Place,
      to: Place,
      settings: CopySettings,
      unlisted: UnlistedPolicy,
    ) => Observable<Progress>,
  ): Observable<Progress> =>
    defer(() => {
      checkOptions(operation.name, options, copyNames);
      const { overwrite = true } = options;
      const how = { overwrite, skipSame: false, resume: false, removesSource };
      const unlisted = new UnlistedPolicy(options, removesSource ? 'files' : 'follow');
      const settings = copySettingsOf(how, transferConfig(), around);
      return operation(open(from), open(to), settings, unlisted).pipe(
        finalize(() => {
          settings.window.close();
        }),
      );
    });
  const contents = new Contents({
    open,
    transfer: transferConfig,
    onCleanUp: (cleanUp) => cleanups.run(cleanUp),
    clock,
  });
  return {
    list: (uri, listOptions = {}) =>
      at(uri, (place) => {
        checkOptions('list', listOptions, listNames);
        return list(place, listOptions);
      }),
    walk: (uri, listOptions = {}) =>
      defer(() => {
        checkOptions('walk', listOptions, listNames);
        const { place, glob } = globbed(stores(), uri);
        return walk(place, glob, listOptions);
      }),
    stat: (uri) => at(uri, stat),
    exists: (uri) => at(uri, exists),
    remove: (uri, removeOptions = {}) =>
      at(uri, (place) => {
        checkOptions('remove', removeOptions, removeNames);
        return remove(place, removeOptions);
      }),
    makeDirectory: (uri) => at(uri, makeDirectory),
    copy: (from, to, copyOptions = {}) => copying(from, to, copyOptions, false, copy),
    move: (from, to, moveOptions = {}) => copying(from, to, moveOptions, true, move),
    bulkCopy: (what, bulkOptions = {}) =>
      defer(() => {
        checkOptions('bulkCopy', bulkOptions, bulkCopyNames);
        const pairs = 'from' in what ? [what] : what;
        for (const pair of pairs) checkOptions('bulkCopy', pair, pairNames);
        const settings = copySettingsOf(bulkOptions, transferConfig(), around);
        const targets = settings.skipSame || settings.skipExisting || !settings.overwrite;
        const unlisted = new UnlistedPolicy(bulkOptions, 'follow');
        return transfer(tasksOfPairs(stores(), pairs, { targets, unlisted }), settings).pipe(
          finalize(() => {
            settings.window.close();
          }),
        );
      }),
    read: (uri, readOptions) =>
      defer(() => {
        checkOptions('read', readOptions, readNames);
        return contents.read(uri, readOptions);
      }),
    write: (uri, body, writeOptions) =>
      defer(() => {
        checkOptions('write', writeOptions, writeNames);
        return contents.write(uri, body, writeOptions);
      }),
    uploads: (uri) => at(uri, uploads),
    abortUploads: (uri, abortOptions) =>
      at(uri, (place) => {
        checkOptions('abortUploads', required('the options of abortUploads', abortOptions), abortNames);
        return abortUploads(place, abortOptions, clock);
      }),
    close: () =>
      concat(
        cleanups.idle,
        defer(() => {
          opened?.close();
          return EMPTY;
        }),
      ),
  };
}
