import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import type { ObjectStore } from '../objectStore.js';
import type { S3Credentials } from '../s3/options.js';
import type { LifecycleRule } from '../services.js';
import { readBody, type Body } from './body.js';
import { Buckets } from './buckets.js';
import { pause, type Call, type GatewayEncryption, type Reply } from './call.js';
import { notImplemented, toGatewayError, type GatewayError } from './errors.js';
import { planned, type Fault, type Faults } from './faults.js';
import { listBuckets, location } from './operations/bucket.js';
import { lifecycle } from './operations/lifecycle.js';
import { missing, operations, route, type GatewayOperation } from './router.js';
import { errorReply, send } from './send.js';
import { header, SigV4Verifier } from './sigv4.js';
import { Sts, stsErrorReply, type StsOptions } from './sts.js';
import { targetOf, type Target } from './target.js';

export interface GatewayOptions {
  /** The initial buckets. */
  readonly buckets?: Readonly<Record<string, ObjectStore>>;
  /** The credentials that are accepted. Each has access to everything. */
  readonly credentials: S3Credentials | readonly S3Credentials[];
  /** Makes the store of a new bucket. Without it, CreateBucket is refused. */
  readonly createBucket?: (name: string) => ObjectStore | Promise<ObjectStore>;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: the system chooses. */
  readonly port?: number;
  /** The region that signatures must name. Default: any. */
  readonly region?: string;
  /** The domain of virtual-hosted requests, `<bucket>.<domain>`. Default `localhost`. */
  readonly domain?: string;
  /** The largest request body. Bytes. Default 512 MiB. */
  readonly maxBody?: number;
  /** The lifecycle rules that buckets report, by bucket. They have no effect. Default: none. */
  readonly lifecycle?: Readonly<Record<string, readonly LifecycleRule[]>>;
  /** Serves AssumeRole and GetSessionToken at the root of the endpoint. Default: no STS. */
  readonly sts?: StsOptions;
  /** Refuses requests that create an object without this encryption, as a bucket policy can. Default: none is required. */
  readonly requireEncryption?: GatewayEncryption;
  /** Injects faults. Default: none. */
  readonly faults?: Faults;
  /** Called at each phase of every request. */
  readonly observe?: (event: GatewayEvent) => void;
  /** Milliseconds since the epoch. Default the machine's clock. */
  readonly now?: () => number;
}

const names: OptionNames<GatewayOptions> = {
  buckets: true,
  credentials: true,
  createBucket: true,
  host: true,
  port: true,
  region: true,
  domain: true,
  maxBody: true,
  lifecycle: true,
  sts: true,
  requireEncryption: true,
  faults: true,
  observe: true,
  now: true,
};

/** A phase of a request. */
export interface GatewayEvent {
  /**
   * `started`: its headers were received; `received`: its body was received and verified, the store is next; `effect`: it
   * has taken effect, the response follows; `finished`: the response was sent; `aborted`: the client disconnected earlier.
   */
  readonly phase: 'started' | 'received' | 'effect' | 'finished' | 'aborted';
  /** Counts the gateway's requests: 1, 2, … */
  readonly request: number;
  readonly operation: GatewayOperation;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  /** As received, without the signature, the session token and customers' keys. */
  readonly headers: Readonly<Record<string, string>>;
  /** From `finished` on. */
  readonly status?: number;
  /** Bytes of the request body, once it was read. */
  readonly received: number;
  /** Bytes of the response body. */
  readonly sent: number;
}

export interface Gateway {
  /** `http://127.0.0.1:<port>`. */
  readonly endpoint: string;
  readonly port: number;
  /** Expires every session issued so far. */
  endSessions(): void;
  /** Stops immediately and drops all requests. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Milliseconds that an idle connection is kept. Node's 5 s is shorter than the pauses of a busy client, whose next request
 * would meet a connection that is being closed.
 */
const keepAliveTimeout = 60_000;

/**
 * Starts an S3 server in this process that serves stores as buckets, on a free port of 127.0.0.1 unless told otherwise.
 *
 * @example
 * ```ts
 * const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
 * await using gateway = await startGateway({ buckets: { lake: createMemoryStore() }, credentials });
 * const stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
 * ```
 *
 * Errors: the error of `listen`, such as `EADDRINUSE`.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  checkOptions('startGateway', options, names);
  const handler = new Handler(options);
  const server = createServer({ keepAliveTimeout, maxHeaderSize: 64 * 1024 }, (request, response) =>
    handler.handle(request, response),
  );
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
    handler.handle(request, response),
  );
  await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  const { address, family, port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const host = family === 'IPv6' ? `[${address}]` : address;
  const endSessions = (): void => handler.endSessions();
  return { endpoint: `http://${host}:${port}`, port, endSessions, close, [Symbol.asyncDispose]: close };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  readonly target: Target;
  readonly operation: GatewayOperation;
  readonly fault: Fault | undefined;
  readonly observe: (phase: GatewayEvent['phase'], more?: Partial<GatewayEvent>) => void;
}

class Handler {
  readonly #options: GatewayOptions;
  readonly #verifier: SigV4Verifier;
  readonly #sts: Sts | undefined;
  readonly #buckets: Buckets;
  readonly #attempts = new Map<string, number>();
  #requests = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#buckets = new Buckets(options.buckets ?? {}, options.createBucket);
    const credentials = [options.credentials].flat();
    const now = options.now ?? (() => Date.now());
    const verifier = new SigV4Verifier(credentials, options.region, now);
    this.#verifier = verifier;
    this.#sts = options.sts && new Sts(options.sts, now, (session) => verifier.add(session));
  }

  endSessions(): void {
    this.#sts?.endSessions();
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const abort = new AbortController();
    response.once('close', () => abort.abort());
    if (this.#options.now !== undefined)
      response.setHeader('date', new Date(this.#options.now()).toUTCString());
    response.setHeader('x-amz-request-id', randomBytes(8).toString('hex').toUpperCase());
    this.#serve(request, response, abort.signal).catch(() => {
      // The client disconnected, or the response broke off: no error can be sent any more.
      response.destroy();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    let target: Target;
    let operation: GatewayOperation;
    try {
      target = targetOf(request.url ?? '/', header(request, 'host'), this.#options.domain ?? 'localhost');
      operation =
        this.#sts !== undefined && request.method === 'POST' && target.bucket === ''
          ? 'Sts'
          : route(request.method ?? '', target, request.headers['x-amz-copy-source'] !== undefined);
    } catch (error) {
      await this.#sendError(request, response, toGatewayError(error), signal);
      return;
    }
    const fault = this.#fault(request, target, operation);
    const event = {
      request: ++this.#requests,
      operation,
      bucket: target.bucket,
      key: target.key,
      query: target.query,
      headers: shown(request),
    };
    let received = 0;
    let sent = 0;
    const observe: Exchange['observe'] = (phase, more = {}) => {
      received = more.received ?? received;
      sent = more.sent ?? sent;
      this.#options.observe?.({ phase, ...event, received, sent, ...more });
    };
    observe('started');
    let closed = false;
    try {
      const exchange = { request, response, signal, target, operation, fault, observe };
      sent = await this.#answer(exchange);
      closed = true;
      observe('finished', { status: response.statusCode, sent });
    } finally {
      if (!closed) observe('aborted');
    }
  }

  async #answer(exchange: Exchange): Promise<number> {
    const { request, response, signal, target, operation, fault, observe } = exchange;
    const failure = fault?.failure;
    if (fault?.delay !== undefined) await pause(fault.delay, signal);
    let reply: Reply;
    try {
      if (failure?.kind === 'reset') await hangUp(exchange);
      if (failure?.kind === 'stall' && failure.at === 'start') await pause(Infinity, signal);
      const authorized = this.#verifier.verify(request, target, operation === 'Sts' ? 'sts' : 's3');
      if (failure?.kind === 'answer') throw planned(failure);
      const body = await readBody(request, response, authorized, this.#options.maxBody ?? 512 * 1024 * 1024);
      observe('received', { received: body.body.length });
      reply = await this.#perform(exchange, body, authorized.caller);
      observe('effect');
      if (failure?.kind === 'answer-after') throw planned(failure);
    } catch (error) {
      if (signal.aborted) throw error;
      if (operation === 'Sts')
        return send(response, stsErrorReply(toGatewayError(error), requestIdOf(response)), undefined, signal);
      return this.#sendError(request, response, toGatewayError(error, missing(operation)), signal);
    }
    if (failure?.kind === 'lose-answer') await hangUp(exchange);
    if (failure?.kind === 'stall' && failure.at === 'answer') await pause(Infinity, signal);
    return send(response, reply, fault, signal);
  }

  #perform(exchange: Exchange, { body, trailers }: Body, caller: S3Credentials): Promise<Reply> | Reply {
    const { request, response, target, operation, signal } = exchange;
    if (operation === 'ListBuckets') return listBuckets(this.#buckets.names());
    if (operation === 'CreateBucket') return created(this.#buckets, target.bucket);
    if (operation === 'Sts') {
      if (this.#sts === undefined) throw notImplemented('STS: it was started without `sts`');
      return this.#sts.answer(body, caller, requestIdOf(response));
    }
    const store = this.#buckets.of(target.bucket);
    if (operation === 'GetBucketLocation') return location(this.#options.region);
    if (operation === 'GetBucketLifecycleConfiguration')
      return lifecycle(this.#options.lifecycle?.[target.bucket]);
    const { bucket, key, query } = target;
    const call: Call = {
      bucket,
      key,
      query,
      headers: request.headers,
      store,
      storeOf: this.#buckets.of,
      body,
      trailers,
      requireEncryption: this.#options.requireEncryption,
      signal,
    };
    return operations[operation](call);
  }

  #fault(request: IncomingMessage, target: Target, operation: GatewayOperation): Fault | undefined {
    const { faults } = this.#options;
    if (faults === undefined) return undefined;
    const { bucket, key, query } = target;
    const method = request.method ?? '';
    const id = `${method} ${request.url ?? ''}`;
    const attempt = (this.#attempts.get(id) ?? 0) + 1;
    this.#attempts.set(id, attempt);
    return faults({ method, operation, bucket, key, query, attempt });
  }

  #sendError(
    request: IncomingMessage,
    response: ServerResponse,
    error: GatewayError,
    signal: AbortSignal,
  ): Promise<number> {
    // The connection cannot be reused while part of the body is unread.
    if (!request.complete) response.setHeader('connection', 'close');
    const [resource = '/'] = (request.url ?? '/').split('?');
    return send(response, errorReply(error, resource, requestIdOf(response)), undefined, signal);
  }
}

async function created(buckets: Buckets, name: string): Promise<Reply> {
  await buckets.create(name);
  return { status: 200, headers: { location: `/${name}` } };
}

const secret: ReadonlySet<string> = new Set([
  'authorization',
  'x-amz-security-token',
  'x-amz-server-side-encryption-customer-key',
  'x-amz-copy-source-server-side-encryption-customer-key',
]);

function shown(request: IncomingMessage): Record<string, string> {
  const names = Object.keys(request.headers).filter((name) => !secret.has(name));
  return Object.fromEntries(names.map((name) => [name, header(request, name) ?? '']));
}

function requestIdOf(response: ServerResponse): string {
  return String(response.getHeader('x-amz-request-id'));
}

async function hangUp({ response, signal }: Exchange): Promise<never> {
  response.socket?.resetAndDestroy();
  await pause(Infinity, signal);
  throw new Error('unreachable');
}
