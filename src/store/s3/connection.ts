import { Observable } from 'rxjs';
import { checkS3Options } from '../../config/checkS3Options.js';
import { silentLogger, type Logger } from '../../config/logger.js';
import type { BucketOptions, S3RetryOptions } from '../../config/s3Options.js';
import { InvalidOption, parseDuration, type Duration } from '../../config/units.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { decorate, type StoreCall } from '../decorators/decorate.js';
import { retried, type RetryOptions } from '../decorators/retry.js';
import type { ObjectStore } from '../objectStore.js';
import { observed, type ObserveOptions } from '../observe/observed.js';
import type { LifecycleRule } from '../services.js';
import type { AwsSettings } from './aws/settings.js';
import { Reached } from './firstContact.js';
import { resolveOptions, type ResolvedOptions, type S3Options } from './options.js';
import { connectionClosed, credentialsFor, S3Pool } from './pool.js';
import { Regions } from './region.js';
import { S3Store } from './store.js';

/** The environment of a connection. */
export interface S3Context {
  /** Receives retries and throttling, and failures at `debug`. Default: `silentLogger`. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * A connection to one S3 server: the credentials and sockets that the stores of its buckets share. Requests are retried
 * according to `S3Options.retry`.
 *
 * There are two socket pools. The main one carries part uploads and reads; a small one is reserved for the manifest whose
 * creation is the commit point, which must never queue behind them. That PUT is not retried here, even if the server
 * throttles: the manifest log repeats it until its outcome is definite, and needs to know of every attempt in doubt.
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
  readonly #aws: AwsSettings;
  readonly #observe: ObserveOptions;
  readonly #underWay = new Set<() => void>();
  readonly #main: S3Pool;
  readonly #reserved: S3Pool;

  /** Throws `InvalidS3Options` and `InvalidOption`. Nothing is sent until the first request. */
  constructor(options: S3Options = {}, context: S3Context = {}) {
    const { clock = systemClock, random = Math.random, logger = silentLogger } = context;
    checkS3Options('S3Connection', options);
    const resolved = resolveOptions(options);
    this.#options = options;
    this.#aws = resolved.aws;
    const retry = { cap: 20_000, ...retryOf(options.retry), clock, random };
    this.#observe = { retry, clock, logger };
    const onPace = (bucket: string, rate: number): void => {
      if (rate === Infinity)
        logger.info({ bucket }, 'The server no longer throttles: requests are not held back any more');
      else logger.warn({ bucket, rate }, 'The server throttles: fewer requests a second are sent');
    };
    const regions = new Regions((bucket, region) =>
      logger.info({ bucket, region }, 'The bucket is in another region: its requests go there'),
    );
    const shared = { clock, credentials: credentialsFor(resolved, clock), regions, reached: new Reached() };
    this.#main = new S3Pool(resolved, resolved.maxSockets, { ...shared, onPace, longestHold: retry.cap });
    // Manifests are not paced when the server throttles: a refused one is sent again.
    this.#reserved = new S3Pool(resolved, resolved.reservedSockets, { ...shared, paced: false });
  }

  /** The store of a bucket. `own` overrides the connection's options, except server and credentials. */
  store(bucket: string, own: OwnOptions = {}): ObjectStore {
    return this.#open(this.#main, bucket, own, this.#observe);
  }

  /** The same bucket over the reserved sockets. */
  reserved(bucket: string, own: OwnOptions = {}): ObjectStore {
    const retry = { ...this.#observe.retry, except: isManifest };
    return this.#open(this.#reserved, bucket, own, { ...this.#observe, retry });
  }

  #open(pool: S3Pool, bucket: string, own: OwnOptions, observe: ObserveOptions): ObjectStore {
    const { uri, others = () => ({}), ...differing } = own;
    const resolved = (differs: Omit<OwnOptions, 'uri' | 'others'>): ResolvedOptions =>
      resolveOptions({ ...this.#options, ...differs }, this.#aws);
    const accessOf = (name: string): ResolvedOptions => resolved(others(name));
    const store = observed(new S3Store(bucket, pool, resolved(differing), { uri, accessOf }), observe);
    return decorate(store, (call, run) => this.#whileOpen(`${call.method} on ${store.uri}`, run));
  }

  /** Fails as soon as the connection is closed, also while waiting for a retry. */
  #whileOpen<T>(what: string, run: Observable<T>): Observable<T> {
    return new Observable<T>((out) => {
      const end = (): void => out.error(connectionClosed(what));
      this.#underWay.add(end);
      out.add(() => this.#underWay.delete(end));
      out.add(run.subscribe(out));
    });
  }

  /** Reads the lifecycle rules of a bucket, none if it has no configuration. Errors: `PermissionDenied`, `NotSupported`, and others of the store. */
  lifecycle(bucket: string): Observable<readonly LifecycleRule[]> {
    const run = this.#main.request(
      { operation: 'GetBucketLifecycleConfiguration', bucket },
      (sdk, client, signal) => sdk.lifecycleRules({ client, bucket, signal }),
    );
    // As harmless as a listing.
    const call: StoreCall = { method: 'list', key: '', conditional: false };
    return this.#whileOpen(`lifecycle of s3://${bucket}`, retried(call, run, this.#observe.retry ?? {}));
  }

  /** Creates a bucket, unless this account owns it already. Jobs never do this. */
  createBucket(bucket: string): Observable<void> {
    return this.#main.request({ operation: 'CreateBucket', bucket }, async (_, client, abortSignal) => {
      const { CreateBucketCommand } = await import('@aws-sdk/client-s3');
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

  /** Aborts all requests and closes every socket. */
  close(): void {
    for (const end of [...this.#underWay]) end();
    this.#main.close();
    this.#reserved.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Conditional puts decide something: the log's entries. */
const isManifest = ({ method, conditional }: StoreCall): boolean => method === 'put' && conditional;

/** What may differ between the buckets of one connection. */
export interface OwnOptions
  extends Pick<BucketOptions, 'sse' | 'acl' | 'requesterPays'>, Pick<S3Options, 'checksum'> {
  /** How the store calls itself. Default: `s3://<bucket>`. */
  readonly uri?: string;
  /** What differs for the buckets that it copies from. Default: nothing. */
  readonly others?: (bucket: string) => Omit<OwnOptions, 'uri' | 'others'>;
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
