/**
 * Opens stores of all schemes: `s3://` (with its alias `s3a://`), `s3x://`, `file://` and `memory://`.
 *
 * A bucket's options are the common ones, overridden by `S3Options.buckets`. Buckets of one server with the same credentials
 * share a connection, with its sockets, limits and pace; it connects on the first request. An `s3x://` URI names its server:
 * it is reached with the URI's credentials, or those of the chain, never those configured for another server.
 *
 * Retryable errors are retried.
 */
import { isDeepStrictEqual } from 'node:util';
import { shareReplay, tap } from 'rxjs';
import { checkOptions, withMethods, type OptionNames } from '../config/checkOptions.js';
import { checkS3Options } from '../config/checkS3Options.js';
import { silentLogger, tolerant } from '../config/logger.js';
import { ownOptions } from '../config/mergeS3.js';
import type { BucketOptions, S3Credentials, S3Options } from '../config/s3Options.js';
import { systemClock } from '../flow/index.js';
import { formatUri, parseUri, userInfo, type ObjectUri } from '../path/index.js';
import type { RetryOptions } from './decorators/retry.js';
import { createLocalStore } from './local/index.js';
import { memoryStore } from './memory/index.js';
import type { ObjectStore } from './objectStore.js';
import { observed } from './observe/observed.js';
import { probe } from './probe.js';
import { createStores } from './registry.js';
import { S3Connection, type S3Context } from './s3/index.js';
import type { StoreLocation, Stores } from './services.js';

export interface OpenStoresOptions extends S3Context {
  /** How to reach `s3://` stores. Default: AWS, as its SDK finds region and credentials. */
  readonly s3?: S3Options;
}

const names: OptionNames<OpenStoresOptions> = { s3: true, logger: true, clock: true, random: true };

/** Stores whose connections can be closed. */
export interface OpenedStores extends Stores {
  /** Aborts all requests and closes every socket; later requests to S3 fail. */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * Opens stores of every scheme by URI, the same bucket always as the same store. Errors of `open`: `InvalidUri`,
 * `UnknownScheme`, `InvalidS3Options`, `InvalidOption`.
 *
 * @example
 * ```ts
 * using stores = openStores({ s3: { region: 'eu-central-1', buckets: { logs: { region: 'us-east-1' } } } });
 * const { store, key } = stores.open('s3://lake/raw/2026/01.ndjson');
 * store.get(key).subscribe(({ chunks }) => console.log(chunks.length));
 * ```
 */
export function openStores(options: OpenStoresOptions = {}): OpenedStores {
  checkOptions('openStores', options, names);
  checkS3Options('openStores', options.s3, 's3.');
  withMethods('openStores: logger', options.logger, ['debug', 'info', 'warn', 'error']);
  const { clock = systemClock } = options;
  const logger = tolerant(options.logger ?? silentLogger);
  const servers = new Servers({ ...options, logger });
  const watched = (store: ObjectStore, retry?: RetryOptions): ObjectStore =>
    observed(store, { clock, logger, ...(retry === undefined ? {} : { retry }) });
  const others = createStores({
    schemes: {
      memory: (name) => watched(memoryStore(name)),
      file: (directory) => watched(createLocalStore(`/${directory}`, { clock }), options),
    },
  });
  const close = (): void => servers.close();
  return {
    open: (uri) => {
      const place = parseUri(uri);
      if (place.scheme === 's3') return { ...servers.open(place), key: place.key };
      if (place.scheme === 's3x') return { ...servers.open(place, userInfo(uri)), key: place.key };
      return others.open(uri);
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** The options of a bucket: the common ones, overridden by its own. */
export function optionsOfBucket(options: S3Options, bucket: string): S3Options {
  const common = Object.entries(options).filter(([name]) => name !== 'buckets');
  return { ...Object.fromEntries(common), ...ownOptions(options, bucket) };
}

const ofServer: ReadonlySet<string> = new Set(['endpoint', 'forcePathStyle', 'credentials', 'assumeRole']);

/** The options for a server that the URI names: without those of another server, above all its credentials. */
function optionsOfServer(common: S3Options, server: string, given: S3Credentials | undefined): S3Options {
  const { endpointProtocol = 'https' } = common;
  const kept = Object.fromEntries(Object.entries(common).filter(([name]) => !ofServer.has(name)));
  const endpoint = `${endpointProtocol}://${server}`;
  return { ...kept, endpoint, ...(given === undefined ? {} : { credentials: given }) };
}

type Opened = Omit<StoreLocation, 'key'>;

/** A connection, the options it was made with, and the buckets opened on it. */
interface Server {
  readonly reached: BucketOptions;
  readonly connection: S3Connection;
  readonly buckets: Map<string, Opened>;
}

class Servers {
  readonly #options: OpenStoresOptions;
  readonly #servers: Server[] = [];
  #closed = false;

  constructor(options: OpenStoresOptions) {
    this.#options = options;
  }

  open(place: ObjectUri, given?: S3Credentials): Opened {
    const { s3 = {}, random, logger = silentLogger } = this.#options;
    const { bucket, server } = place;
    const common = optionsOfBucket(s3, bucket);
    const { sse, acl, requesterPays, ...options } =
      server === undefined ? common : optionsOfServer(common, server, given);
    const { connection, buckets } = this.#server(options);
    let opened = buckets.get(bucket);
    if (opened === undefined) {
      const uri = formatUri({ ...place, key: '' }).replace(/\/$/, '');
      const own = { uri, ...defined({ sse, acl, requesterPays }), others: this.#ofBucket };
      const store = connection.store(bucket, own);
      opened = {
        store,
        bucket,
        server: connection,
        reserved: connection.reserved(bucket, own),
        variant: (other) => connection.store(bucket, { ...own, ...other }),
        lifecycle: connection.lifecycle(bucket),
        capabilities: probe(store, '.millrace/', random, logger).pipe(
          tap((found) => logger.info({ store: uri, ...found }, 'Probed the server')),
          shareReplay({ bufferSize: 1, refCount: false }),
        ),
      };
      buckets.set(bucket, opened);
    }
    return opened;
  }

  /** The options that may differ between buckets of one server. */
  readonly #ofBucket = (bucket: string): BucketOptions => {
    const { sse, acl, requesterPays } = optionsOfBucket(this.#options.s3 ?? {}, bucket);
    return defined({ sse, acl, requesterPays });
  };

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#servers) connection.close();
  }

  #server(options: S3Options): Server {
    const { endpoint, region, forcePathStyle, credentials, assumeRole, proxy, caBundle } = options;
    const reached = defined({ endpoint, region, forcePathStyle, credentials, assumeRole, proxy, caBundle });
    let found = this.#servers.find((server) => isDeepStrictEqual(server.reached, reached));
    if (found === undefined) {
      const connection = new S3Connection(options, this.#options);
      if (this.#closed) connection.close();
      found = { reached, connection, buckets: new Map() };
      this.#servers.push(found);
    }
    return found;
  }
}

function defined(options: {
  readonly [K in keyof BucketOptions]: BucketOptions[K] | undefined;
}): BucketOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
