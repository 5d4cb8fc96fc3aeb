import { CreateBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Observable } from 'rxjs';
import type { BucketOptions, S3RetryOptions } from '../../config/s3Options.js';
import { silent, type Logger } from '../../config/logger.js';
import { InvalidOption, parseDuration, type Duration } from '../../config/units.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { decorate } from '../decorators/decorate.js';
import type { RetryOptions } from '../decorators/retry.js';
import { StoreError } from '../errors.js';
import type { ObjectStore } from '../objectStore.js';
import { observed, type ObserveOptions } from '../observe/observed.js';
import { chunkedBodies } from './chunked.js';
import { credentialsOf, type ConnectionCredentials } from './credentials/index.js';
import { toStoreError, type Asked } from './errors.js';
import { Gate } from './gate.js';
import { gated } from './gatedClient.js';
import { HttpHandler } from './httpHandler.js';
import { askForChecksum, unsignedPayload, md5ForDelete } from './middleware.js';
import { firstRegion, following, Regions, type Sender } from './region.js';
import { resolveOptions, type ResolvedOptions, type S3Options } from './options.js';
import { S3Store } from './store.js';

/** One pool of sockets and the SDK client that uses it. */
export class S3Pool {
  readonly handler: HttpHandler;
  readonly gate: Gate;
  readonly #clock: Clock;
  readonly #config: S3ClientConfig;
  readonly #options: ResolvedOptions;
  readonly #credentials: ConnectionCredentials;
  readonly #underWay = new Set<AbortController>();
  readonly #clients = new Map<string | undefined, S3Client>();
  readonly #client: Sender;
  #closed = false;

  constructor(
    options: ResolvedOptions,
    maxSockets: number,
    credentials: ConnectionCredentials = credentialsFor(options),
    regions = new Regions(),
    { clock = systemClock, onPace, paced = true }: PoolContext = {},
  ) {
    this.#options = options;
    this.#clock = clock;
    this.gate = new Gate({ places: maxSockets, clock, paced, ...(onPace === undefined ? {} : { onPace }) });
    this.#credentials = credentials;
    this.handler = new HttpHandler(maxSockets, options);
    this.#config = {
      region: firstRegion(options),
      useDualstackEndpoint: options.dualStack,
      useAccelerateEndpoint: options.accelerate,
      forcePathStyle: options.forcePathStyle,
      ...credentials.config,
      requestHandler: this.handler,
      maxAttempts: 1,
      expectContinueHeader: false,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      cacheMiddleware: true,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    };
    this.#client = following((name) => this.#clientIn(name), regions);
  }

  get options(): ResolvedOptions {
    return this.#options;
  }

  /** Requests that have no answer yet. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** One exchange with the server as an Observable: made on subscribe, aborted on unsubscribe. */
  request<T>(asked: Asked, exchange: (client: Sender, signal: AbortSignal) => Promise<T>): Observable<T> {
    return new Observable<T>((subscriber) => {
      if (this.#closed) {
        subscriber.error(closed(asked));
        return;
      }
      const abort = new AbortController();
      const client = this.#client;
      this.#underWay.add(abort);
      exchange(client, abort.signal).then(
        (answer) => {
          // Before the answer goes out: what it sets off may unsubscribe, and there is nothing to abort any more.
          this.#underWay.delete(abort);
          subscriber.next(answer);
          subscriber.complete();
        },
        (raw: unknown) => {
          this.#underWay.delete(abort);
          subscriber.error(this.#closed ? closed(asked) : toStoreError(raw, asked));
        },
      );
      return () => {
        if (this.#underWay.delete(abort)) abort.abort();
      };
    });
  }

  close(): void {
    this.#closed = true;
    for (const abort of this.#underWay) abort.abort();
    this.handler.destroy();
  }

  /** The name of the region where requests start. */
  async region(): Promise<string> {
    return this.#clientIn(undefined).config.region();
  }

  #clientIn(name: string | undefined): S3Client {
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = this.#connect(name === undefined ? {} : { region: name });
      this.#clients.set(name, client);
    }
    return client;
  }

  #connect(own: S3ClientConfig): S3Client {
    const client = new S3Client({ ...this.#config, ...own });
    client.middlewareStack.use(md5ForDelete);
    client.middlewareStack.use(this.#credentials.renewal);
    if (this.#options.unsignedPayload) client.middlewareStack.use(unsignedPayload);
    if (this.#options.checksumValidation) client.middlewareStack.use(askForChecksum);
    if (this.#options.chunkedEncoding) client.middlewareStack.use(chunkedBodies(this.#options));
    return gated(client, this.gate, this.#options, this.#clock);
  }
}

interface PoolContext {
  readonly clock?: Clock;
  /** Whether buckets that throttle are asked less. Default true. */
  readonly paced?: boolean;
  readonly onPace?: (bucket: string, rate: number) => void;
}

/** What a connection takes from the world around it. */
export interface S3Context {
  /** Hears of retries, throttling, and at `debug` of failures. Default: silent. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * A connection to one S3 server: the credentials and the sockets that its buckets' stores share. Requests are retried
 * as `S3Options.retry` says.
 *
 * There are two pools. Part uploads and reads use the one; the other, small, is for what must never wait behind them:
 * the manifest whose creation is the commit point.
 *
 * @example
 * ```ts
 * const s3 = new S3Connection({ endpoint: 'http://127.0.0.1:9000', credentials: { accessKeyId, secretAccessKey } });
 * const lake = s3.store('lake');
 * const manifests = s3.reserved('lake');
 * s3.close();
 * ```
 */
export class S3Connection {
  readonly #options: S3Options;
  readonly #observe: ObserveOptions;
  readonly #underWay = new Set<() => void>();
  readonly #main: S3Pool;
  readonly #reserved: S3Pool;

  /** Throws `InvalidS3Options` and `InvalidOption`. Nothing is sent before the first request. */
  constructor(options: S3Options = {}, context: S3Context = {}) {
    const { clock = systemClock, random = Math.random, logger = silent } = context;
    const resolved = resolveOptions(options);
    this.#options = options;
    this.#observe = { retry: { ...retryOf(options.retry), clock, random }, clock, logger };
    const credentials = credentialsFor(resolved, clock);
    const regions = new Regions();
    const onPace = (bucket: string, rate: number): void => {
      if (rate === Infinity)
        logger.info({ bucket }, 'The server no longer throttles: requests are not held back any more');
      else logger.warn({ bucket, rate }, 'The server throttles: fewer requests a second are sent');
    };
    this.#main = new S3Pool(resolved, resolved.maxSockets, credentials, regions, { clock, onPace });
    // Manifests wait for nobody, not even for a server that throttles: its refusals are retried.
    this.#reserved = new S3Pool(resolved, resolved.reservedSockets, credentials, regions, {
      clock,
      paced: false,
    });
  }

  /** A bucket's store. `own` is what differs for it, but for its server and credentials. */
  store(bucket: string, own: OwnOptions = {}): ObjectStore {
    return this.#open(this.#main, bucket, own);
  }

  /** The same bucket over sockets that nothing else uses. */
  reserved(bucket: string, own: OwnOptions = {}): ObjectStore {
    return this.#open(this.#reserved, bucket, own);
  }

  #open(pool: S3Pool, bucket: string, own: OwnOptions): ObjectStore {
    const { uri, ...differing } = own;
    const options = resolveOptions({ ...this.#options, ...differing });
    const store = observed(new S3Store(bucket, pool, options, uri), this.#observe);
    return decorate(store, (call, run) => this.#whileOpen(`${call.method} on ${store.uri}`, run));
  }

  /** Ends with the connection at once, be it in the wait for another try. */
  #whileOpen<T>(what: string, run: Observable<T>): Observable<T> {
    return new Observable<T>((out) => {
      const end = (): void => out.error(connectionClosed(what));
      this.#underWay.add(end);
      out.add(() => this.#underWay.delete(end));
      out.add(run.subscribe(out));
    });
  }

  /** Creates a bucket; one that is ours already is no error. Jobs never do this. */
  createBucket(bucket: string): Observable<void> {
    return this.#main.request({ operation: 'CreateBucket', bucket }, async (client, abortSignal) => {
      const name = await this.#main.region();
      const location =
        this.#main.options.custom || name === 'us-east-1' ? undefined : { LocationConstraint: name as never };
      try {
        await client.send(
          new CreateBucketCommand({
            Bucket: bucket,
            ...(location === undefined ? {} : { CreateBucketConfiguration: location }),
          }),
          { abortSignal },
        );
      } catch (error) {
        if ((error as { name?: unknown }).name !== 'BucketAlreadyOwnedByYou') throw error;
      }
    });
  }

  /** Aborts what is under way and closes every socket. */
  close(): void {
    for (const end of [...this.#underWay]) end();
    this.#main.close();
    this.#reserved.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What may differ between the buckets of one connection. */
export interface OwnOptions extends Pick<BucketOptions, 'sse'> {
  /** How the store calls itself. Default: `s3://<bucket>`. */
  readonly uri?: string;
}

function retryOf(given: S3RetryOptions = {}): RetryOptions {
  const ms = (key: string, value: Duration | undefined): number | undefined =>
    value === undefined ? undefined : parseDuration(`s3.retry.${key}`, value);
  const { maxRetries: retries } = given;
  if (retries !== undefined && !(Number.isSafeInteger(retries) && retries >= 0))
    throw new InvalidOption('s3.retry.maxRetries', retries, 'a whole number of 0 or more');
  const all = {
    retries,
    base: ms('base', given.base),
    throttledBase: ms('throttledBase', given.throttledBase),
    cap: ms('cap', given.cap),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function connectionClosed(what: string): StoreError {
  return new StoreError('InvalidRequest', `${what}: the S3 connection is closed.`);
}

function closed({ operation, bucket }: Asked): StoreError {
  return connectionClosed(`${operation} on s3://${bucket}`);
}

function credentialsFor(options: ResolvedOptions, clock: Clock = systemClock): ConnectionCredentials {
  const { endpoint, custom } = options;
  return credentialsOf(options, { clock, endpoint: custom ? endpoint : undefined });
}
