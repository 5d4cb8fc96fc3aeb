import { withMethods, type OptionNames } from '../config/checkOptions.js';
import { checkS3Options } from '../config/checkS3Options.js';
import { encryptBucket, mergeS3 } from '../config/mergeS3.js';
import { loadConfig, type Config } from '../config/index.js';
import type { Logger } from '../config/logger.js';
import type { S3Options } from '../config/s3Options.js';
import { defaultConfig } from '../config/service.js';
import { systemClock, type Clock } from '../flow/index.js';
import { openStores, type OpenedStores } from '../store/open.js';
import type { StoreLocation, Stores } from '../store/services.js';

/** How to reach state from outside. */
export interface StateStoresOptions {
  /** Replaces the stores of all URIs; `s3` is then ignored. */
  readonly stores?: Stores;
  /** How to reach `s3://` stores, in addition to the configuration. */
  readonly s3?: S3Options;
  /** Default: environment and file, as `loadConfig()` reads them; with `stores`, the default configuration. */
  readonly config?: Config;
  /** Default: that of `config`. */
  readonly logger?: Logger;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

export const storesNames: OptionNames<StateStoresOptions> = {
  stores: true,
  s3: true,
  config: true,
  logger: true,
  clock: true,
};

/** Errors: `InvalidOption`. */
export function checkStores(of: string, { stores, s3, logger, clock }: StateStoresOptions): void {
  checkS3Options(of, s3, 's3.');
  withMethods('clock', clock, ['now', 'after', 'yield']);
  withMethods('stores', stores, ['open']);
  withMethods('logger', logger, ['debug', 'info', 'warn', 'error']);
}

/**
 * The stores and the configuration for state from outside. Both are opened lazily: a wrong configuration is an error of
 * the first read.
 */
export class StateStores {
  readonly #options: StateStoresOptions;
  #config: Config | undefined;
  readonly #opened = new Map<string, OpenedStores>();

  constructor(options: StateStoresOptions) {
    this.#options = options;
  }

  get config(): Config {
    const { config, stores } = this.#options;
    return (this.#config ??= config ?? (stores === undefined ? loadConfig() : defaultConfig()));
  }

  get clock(): Clock {
    return this.#options.clock ?? systemClock;
  }

  /** Errors: `InvalidUri`, `UnknownScheme`. */
  open(uri: string): StoreLocation {
    return this.#openWith('', this.#s3, uri);
  }

  /** For writing, encrypted as state is. */
  openTarget(uri: string): StoreLocation {
    const s3 = this.#s3;
    const encrypted = this.config.state.encryption ? encryptBucket(s3, uri) : s3;
    return this.#openWith(encrypted === s3 ? '' : uri, encrypted, uri);
  }

  close(): void {
    for (const stores of this.#opened.values()) stores.close();
    this.#opened.clear();
  }

  get #s3(): S3Options {
    return mergeS3(this.config.s3, this.#options.s3);
  }

  #openWith(name: string, s3: S3Options, uri: string): StoreLocation {
    const { stores: given, logger = this.config.logger, clock = systemClock } = this.#options;
    if (given !== undefined) return given.open(uri);
    let stores = this.#opened.get(name);
    if (stores === undefined) this.#opened.set(name, (stores = openStores({ s3, logger, clock })));
    return stores.open(uri);
  }
}
