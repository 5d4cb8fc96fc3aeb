import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { Observable } from 'rxjs';
import { systemClock, type Clock } from '../../flow/index.js';
import { StoreError } from '../errors.js';
import { checkResponses } from './responses.js';
import { chunkedBodies } from './chunked.js';
import { contentMd5OnDemand } from './contentMd5.js';
import { credentialsOf, type ConnectionCredentials } from './credentials/index.js';
import { readableDates } from './dates.js';
import { toStoreError, type Asked } from './errors.js';
import { Reached } from './firstContact.js';
import { Gate } from './gate.js';
import { HttpHandler } from './httpHandler.js';
import { withSdk, type Sdk } from './loadSdk.js';
import { askForChecksum, unsignedPayload, md5ForDelete } from './middleware.js';
import type { ResolvedOptions } from './options.js';
import { byServerTime } from './serverTime.js';
import { isDirect } from './transport.js';
import { firstRegion, followRegions, Regions, type Sender } from './region.js';

/** What the pools of a connection share. */
export interface PoolContext {
  /** Default: those of the options. */
  readonly credentials?: ConnectionCredentials;
  /** The known regions of buckets. */
  readonly regions?: Regions;
  /** The buckets that have responded. */
  readonly reached?: Reached;
  readonly clock?: Clock;
  /** Whether the request rate follows throttling. Default true. */
  readonly paced?: boolean;
  readonly onPace?: (bucket: string, rate: number) => void;
  /** Upper bound of a `Retry-After`. Milliseconds. Default 20,000. */
  readonly longestHold?: number;
}

/** Selects the host: the endpoint, or one of AWS's. */
function hosts({ dualStack, endpoint }: ResolvedOptions): S3ClientConfig {
  if (endpoint !== undefined) return { endpoint, useDualstackEndpoint: false, useFipsEndpoint: false };
  // `endpoint` already includes the environment and the files.
  return { ignoreConfiguredEndpointUrls: true, ...(dualStack ? { useDualstackEndpoint: true } : {}) };
}

/** One pool of sockets and the SDK client that uses it. */
export class S3Pool {
  readonly handler: HttpHandler;
  readonly gate: Gate;
  readonly #clock: Clock;
  readonly #config: S3ClientConfig;
  readonly #options: ResolvedOptions;
  readonly #credentials: ConnectionCredentials;
  readonly #reached: Reached;
  readonly #underWay = new Set<AbortController>();
  readonly #clients = new Map<string | undefined, S3Client>();
  readonly #regions: Regions;
  #closed = false;

  constructor(options: ResolvedOptions, maxSockets: number, context: PoolContext = {}) {
    const { clock = systemClock, onPace, paced = true, regions = new Regions() } = context;
    const { credentials = credentialsFor(options, clock), longestHold = 20_000 } = context;
    this.#options = options;
    this.#reached = context.reached ?? new Reached();
    this.#clock = clock;
    const told = onPace === undefined ? {} : { onPace };
    this.gate = new Gate({ places: maxSockets, clock, paced, longestHold, ...told });
    this.#credentials = credentials;
    this.handler = new HttpHandler(maxSockets, options, options.transport);
    this.#config = {
      profile: options.aws.profileName,
      region: firstRegion(options),
      ...hosts(options),
      useAccelerateEndpoint: options.accelerate,
      forcePathStyle: options.forcePathStyle,
      ...credentials.config,
      requestHandler: this.handler,
      maxAttempts: 1,
      expectContinueHeader: false,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      cacheMiddleware: true,
    };
    this.#regions = regions;
  }

  get options(): ResolvedOptions {
    return this.#options;
  }

  /** Requests without a response yet. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** The endpoint, if it is reached without a proxy. */
  get #direct(): string | undefined {
    const { endpoint, transport } = this.#options;
    return endpoint !== undefined && isDirect(transport, endpoint) ? endpoint : undefined;
  }

  /** Runs an exchange with the server on subscribe, and aborts it on unsubscribe. */
  request<T>(
    asked: Asked,
    exchange: (sdk: Sdk, client: Sender, signal: AbortSignal) => Promise<T>,
  ): Observable<T> {
    return new Observable<T>((subscriber) => {
      if (this.#closed) {
        subscriber.error(closed(asked));
        return;
      }
      const abort = new AbortController();
      this.#underWay.add(abort);
      withSdk((sdk) => {
        abort.signal.throwIfAborted();
        const client = followRegions((name) => this.#clientIn(sdk, name), this.#regions);
        return exchange(sdk, client, abort.signal);
      }).then(
        (answer) => {
          // Before `next`, whose consumer may unsubscribe: there is nothing left to abort.
          this.#underWay.delete(abort);
          this.#reached.answered(asked.bucket);
          subscriber.next(answer);
          subscriber.complete();
        },
        async (raw: unknown) => {
          const why = abort.signal.aborted
            ? undefined
            : await this.#reached.why(asked.bucket, raw, this.#direct, abort.signal);
          this.#underWay.delete(abort);
          subscriber.error(this.#closed ? closed(asked) : toStoreError(raw, asked, why));
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

  /** The initial region. */
  async region(): Promise<string> {
    return withSdk((sdk) => this.#clientIn(sdk, undefined).config.region());
  }

  #clientIn(sdk: Sdk, name: string | undefined): S3Client {
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = this.#connect(sdk, name === undefined ? {} : { region: name });
      this.#clients.set(name, client);
    }
    return client;
  }

  #connect(sdk: Sdk, own: S3ClientConfig): S3Client {
    const client = sdk.createClient({ ...this.#config, ...own });
    client.middlewareStack.use(checkResponses);
    client.middlewareStack.use(md5ForDelete);
    if (!this.#options.chunkedEncoding) client.middlewareStack.use(contentMd5OnDemand());
    client.middlewareStack.use(readableDates);
    client.middlewareStack.use(this.#credentials.renewal);
    client.middlewareStack.use(byServerTime(client));
    if (this.#options.unsignedPayload) client.middlewareStack.use(unsignedPayload);
    if (this.#options.checksumValidation) client.middlewareStack.use(askForChecksum);
    if (this.#options.chunkedEncoding) client.middlewareStack.use(chunkedBodies(this.#options));
    sdk.withDirectReads(client, this.handler, this.#options.checksumValidation);
    return sdk.gated(client, this.gate, this.#options, this.#clock);
  }
}

export function connectionClosed(what: string): StoreError {
  return new StoreError('InvalidRequest', `${what}: the S3 connection is closed.`);
}

function closed({ operation, bucket }: Asked): StoreError {
  return connectionClosed(`${operation} on s3://${bucket}`);
}

export function credentialsFor(options: ResolvedOptions, clock: Clock): ConnectionCredentials {
  return credentialsOf(options, {
    clock,
    aws: options.aws,
    transport: options.transport,
    endpoint: options.custom ? options.endpoint : undefined,
  });
}
