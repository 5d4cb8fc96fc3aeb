import {
  request as httpRequest,
  type Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest, type Agent as HttpsAgent } from 'node:https';
import { MillraceError } from '../../errors.js';
import { proxyRefused, withProxy } from './proxy/errors.js';
import type { Proxy } from './proxy/proxies.js';
import type { ConnectOptions } from './proxy/tunnel.js';
import { sendBody } from './requestBody.js';
import { limitWait, watchSilence, type Timeouts } from './timeouts.js';
import { Sockets, type Route } from './sockets.js';
import type { Transport } from './transport.js';

/** The part of the SDK's request that goes over the wire. */
export interface WireRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: Record<string, string | string[] | null>;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

export interface WireResponse {
  readonly statusCode: number;
  readonly reason: string | undefined;
  readonly headers: Record<string, string>;
  readonly body: IncomingMessage;
}

/** What a request has already come to, which the handler then says instead of sending it. Once: a repeated request is sent. */
export type Answered = { readonly response: WireResponse } | { readonly error: Error };

/** Bytes in a response. Servers accept more metadata than Node's default limit for all headers. */
const maxHeaderSize = 256 * 1024;

interface HandleOptions {
  readonly abortSignal?: unknown;
  readonly requestTimeout?: number;
  readonly answered?: Answered;
  /** Told of the request before it is sent. */
  readonly seen?: (request: WireRequest) => void;
}

/** Whether an idempotent request met a connection that the server was closing. */
function mayRepeat(method: string, outgoing: ClientRequest, code: string | undefined): boolean {
  const read = method === 'GET' || method === 'HEAD';
  return read && outgoing.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
}

/**
 * Sends the SDK's requests over one pool of sockets.
 *
 * A server may close a kept connection just as it is used again. A read that meets this is sent again immediately, until it
 * gets a live or a new connection. Other failures are left to callers that know whether the request may be repeated.
 *
 * The SDK's own handler measures its timeouts from the moment a request is queued for a socket, so a busy pool looks
 * like a dead server, and a slow upload like a stalled one. Here a single timer per socket watches for silence: while
 * it connects, until the response starts, and (for reads, where the server has nothing left to compute) between the
 * chunks of the body.
 */
export class HttpHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #sockets: Sockets;
  readonly #timeouts: Timeouts;
  readonly #told = new WeakSet<Answered>();

  constructor(maxSockets: number, timeouts: Timeouts, transport: Transport) {
    this.#timeouts = timeouts;
    this.#sockets = new Sockets(maxSockets, transport);
  }

  get http(): HttpAgent {
    return this.#sockets.http;
  }

  get https(): HttpsAgent {
    return this.#sockets.https;
  }

  handle(request: WireRequest, options: HandleOptions = {}): Promise<{ response: WireResponse }> {
    const { answered, seen } = options;
    if (answered !== undefined && !this.#told.has(answered)) {
      this.#told.add(answered);
      return 'error' in answered ? Promise.reject(answered.error) : Promise.resolve(answered);
    }
    seen?.(request);
    const patience = options.requestTimeout === undefined ? {} : { requestTimeout: options.requestTimeout };
    return new Promise((resolve, reject) => {
      const signal = options.abortSignal as AbortSignal | undefined;
      if (signal?.aborted === true) reject(aborted());
      else {
        try {
          this.#send(request, { ...this.#timeouts, ...patience }, signal, resolve, reject);
        } catch (error) {
          // Node throws if a header contains a line break.
          reject(plain(error as NodeJS.ErrnoException));
        }
      }
    });
  }

  #send(
    request: WireRequest,
    timeouts: Timeouts,
    signal: AbortSignal | undefined,
    resolve: (answer: { response: WireResponse }) => void,
    reject: (error: Error) => void,
  ): void {
    let route: Route;
    try {
      route = this.#sockets.routeTo(request);
    } catch (error) {
      reject(error as Error);
      return;
    }
    const { forwardProxy } = route;
    const secure = forwardProxy === undefined ? request.protocol === 'https:' : forwardProxy.secure;
    const connectOptions: ConnectOptions = { within: timeouts.connectionTimeout, signal };
    const outgoing = (secure ? httpsRequest : httpRequest)({
      ...(forwardProxy === undefined ? directOptions(request) : forwardOptions(request, forwardProxy)),
      method: request.method,
      agent: route.agent,
      maxHeaderSize,
      ...{ connectOptions },
    });
    let answered = false;
    let failed = false;
    const onAbort = (): void => {
      // A request that waits for a socket emits nothing when it is destroyed, so reject here.
      outgoing.destroy();
      settled();
      reject(aborted());
    };
    watchSilence(outgoing, request.method, secure, timeouts);
    const unmade =
      route.custom === undefined ? undefined : limitWait(outgoing, timeouts.connectionTimeout, reject);
    const settled = (): void => {
      signal?.removeEventListener('abort', onAbort);
      unmade?.();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    outgoing.once('close', () => {
      settled();
      // Closed without a response or an error: the server wants another protocol (101).
      if (!answered && !failed) reject(unanswered());
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      failed = true;
      // Without a socket no `close` follows.
      settled();
      if (!answered && signal?.aborted !== true && mayRepeat(request.method, outgoing, error.code))
        this.#send(request, timeouts, signal, resolve, reject);
      else reject(plain(forwardProxy === undefined ? error : withProxy(forwardProxy, error)));
    });
    outgoing.on('response', (incoming) => {
      answered = true;
      if (forwardProxy !== undefined && incoming.statusCode === 407) {
        incoming.resume();
        reject(proxyRefused(forwardProxy, incoming, authorityOf(request)));
        return;
      }
      resolve({
        response: {
          statusCode: incoming.statusCode ?? 0,
          reason: incoming.statusMessage,
          headers: plainHeaders(incoming),
          body: incoming,
        },
      });
    });
    sendBody(outgoing, request.body);
  }

  destroy(): void {
    this.#sockets.destroy();
  }

  updateHttpClientConfig(): void {
    // Only handlers that the SDK made itself are adjusted.
  }

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }
}

/** The request to the server itself. */
function directOptions({ hostname, port, path, query, headers }: WireRequest): RequestOptions {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port, path: path + queryString(query), headers };
}

/** The request to a forward proxy, with an absolute URL. It is not normalized, since it is signed. */
function forwardOptions(request: WireRequest, proxy: Proxy): RequestOptions {
  return {
    host: proxy.host,
    port: proxy.port,
    path: `http://${authorityOf(request)}${request.path}${queryString(request.query)}`,
    headers: { ...request.headers, ...proxy.headers() },
  };
}

function authorityOf({ hostname, port }: WireRequest): string {
  return port === undefined ? hostname : `${hostname}:${port}`;
}

/** Removes the references to sockets and requests from Node's errors. */
function plain(error: NodeJS.ErrnoException): Error {
  if (error instanceof MillraceError) return error;
  return Object.assign(new Error(error.message), { name: error.name, code: error.code });
}

function unanswered(): Error {
  return Object.assign(new Error('The connection ended without an answer'), {
    name: 'Error',
    code: 'ECONNRESET',
  });
}

function aborted(): Error {
  return Object.assign(new Error('The request was aborted'), { name: 'AbortError' });
}

function plainHeaders(incoming: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

function queryString(query: WireRequest['query']): string {
  if (query === undefined) return '';
  const parts: string[] = [];
  for (const name of Object.keys(query).sort()) {
    const value = query[name];
    for (const one of Array.isArray(value) ? value : [value]) {
      parts.push(
        one === null || one === undefined ? escapeUri(name) : `${escapeUri(name)}=${escapeUri(one)}`,
      );
    }
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** Percent-encodes all but the unreserved characters of RFC 3986, as SigV4 requires. */
export function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
