import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  finalize,
  lastValueFrom,
  map,
  of,
  throwError,
  type Observable,
} from 'rxjs';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { defaultConfig, loadConfig, type Config } from '../../config/index.js';
import { systemClock } from '../../flow/index.js';
import { isStoreError } from '../../store/errors.js';
import { answeringStores } from '../../store/decorators/answering.js';
import { openStores, type OpenedStores } from '../../store/open.js';
import type { Stores } from '../../store/services.js';
import { Contents } from '../contents.js';
import { createOperations, type Operations } from '../operations/index.js';
import { placeOf } from '../operations/place.js';
import { Cleanups } from '../operations/transfer/cleanups.js';
import type { Stat } from '../types.js';
import { directoryUri, nameUri } from './paths.js';

export interface FsOptions {
  /** Opens the stores. Default: all schemes, configured by `config`; `close` closes them. */
  readonly stores?: Stores;
  /** Default: `loadConfig()` on first use; with `stores`, the default configuration. */
  readonly config?: Config;
}

const names: OptionNames<FsOptions> = { stores: true, config: true };

/** Shared by the functions of one file system: stores, operations, and the memory of readers. */
export class Client {
  readonly contents: Contents;
  readonly #options: FsOptions;
  readonly #cleanups = new Cleanups();
  #config: Config | undefined;
  #opened: OpenedStores | undefined;
  #operations: Operations | undefined;

  constructor(options: FsOptions = {}) {
    checkOptions('createFs', options, names);
    this.#options = options;
    this.contents = new Contents({
      open: (uri) => placeOf(this.#stores(), uri),
      transfer: () => this.config.transfer,
      onCleanUp: (cleanUp) => {
        this.#cleanups.run(cleanUp);
      },
      clock: systemClock,
    });
  }

  get config(): Config {
    const { config, stores } = this.#options;
    return (this.#config ??= config ?? (stores === undefined ? loadConfig() : defaultConfig()));
  }

  /** Throws the errors of a wrong configuration. */
  get operations(): Operations {
    return (this.#operations ??= createOperations({ stores: this.#stores(), config: this.config }));
  }

  /** The object or directory of a URI, if any. */
  find(uri: string): Observable<Stat | undefined> {
    return defer(() => this.operations.stat(uri)).pipe(catchError(ifMissing(undefined)));
  }

  /** Whether there is a directory of this name, even if there is also an object. */
  isDirectory(uri: string): Observable<boolean> {
    return this.find(directoryUri(uri)).pipe(map((found) => found !== undefined));
  }

  /** Whether there is an object of this name, ignoring a trailing slash. */
  isFile(uri: string): Observable<boolean> {
    return this.find(nameUri(uri)).pipe(map((found) => found?.kind === 'object'));
  }

  /** Waits for clean-up, such as aborting uploads, and closes the stores that were opened here. */
  async close(): Promise<void> {
    const operations = this.#operations?.close() ?? EMPTY;
    const idle = this.#cleanups.idle.pipe(finalize(() => this.#opened?.close()));
    await lastValueFrom(operations.pipe(concatMap(() => EMPTY)), { defaultValue: undefined });
    await lastValueFrom(idle, { defaultValue: undefined });
  }

  #stores(): Stores {
    const { stores } = this.#options;
    if (stores !== undefined) return answeringStores(stores);
    return (this.#opened ??= openStores({ s3: this.config.s3, logger: this.config.logger }));
  }
}

/** `value` instead of `NotFound`. */
export function ifMissing<T>(value: T): (error: unknown) => Observable<T> {
  return (error) => (isStoreError(error, 'NotFound') ? of(value) : throwError(() => error));
}
