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
import { openStores, type OpenedStores } from '../../store/open.js';
import type { Stores } from '../../store/services.js';
import { Contents } from '../contents.js';
import { createOperations, type Operations } from '../operations/index.js';
import { placeOf } from '../operations/place.js';
import { Cleanups } from '../operations/transfer/cleanups.js';
import type { Stat } from '../types.js';
import { directoryUri, nameUri } from './paths.js';

export interface FsOptions {
  /** Opens the stores. Default: all schemes, as `config` says; `close` closes them. */
  readonly stores?: Stores;
  /** Default: `loadConfig()`, when something is first done; with `stores` of your own, the defaults. */
  readonly config?: Config;
}

const names: OptionNames<FsOptions> = { stores: true, config: true };

/** What all functions of one `millrace/fs` share: stores, operations, and the memory of readers. */
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

  /** Throws what a wrong configuration throws. */
  get operations(): Operations {
    return (this.#operations ??= createOperations({ stores: this.#stores(), config: this.config }));
  }

  /** What a path names; `undefined` if nothing. */
  find(uri: string): Observable<Stat | undefined> {
    return defer(() => this.operations.stat(uri)).pipe(catchError(ifMissing(undefined)));
  }

  /** Whether there is a directory of this name, next to no object or an object. */
  isDirectory(uri: string): Observable<boolean> {
    return this.find(directoryUri(uri)).pipe(map((found) => found !== undefined));
  }

  /** What a path names, if that is an object; a slash at the end is no part of its name. */
  isFile(uri: string): Observable<boolean> {
    return this.find(nameUri(uri)).pipe(map((found) => found?.kind === 'object'));
  }

  /** Waits for what goes on after calls are over, such as dropping an upload, and closes what was opened here. */
  async close(): Promise<void> {
    const operations = this.#operations?.close() ?? EMPTY;
    const idle = this.#cleanups.idle.pipe(finalize(() => this.#opened?.close()));
    await lastValueFrom(operations.pipe(concatMap(() => EMPTY)), { defaultValue: undefined });
    await lastValueFrom(idle, { defaultValue: undefined });
  }

  #stores(): Stores {
    if (this.#options.stores !== undefined) return this.#options.stores;
    return (this.#opened ??= openStores({ s3: this.config.s3, logger: this.config.logger }));
  }
}

/** `value` instead of `NotFound`. */
export function ifMissing<T>(value: T): (error: unknown) => Observable<T> {
  return (error) => (isStoreError(error, 'NotFound') ? of(value) : throwError(() => error));
}
