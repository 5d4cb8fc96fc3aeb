import {
  request as httpRequest,
  type Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest, type Agent as HttpsAgent } from 'node:https';
import { MillraceError } from '../../errors.js';
import { named, refused } from './proxy/errors.js';
import type { Proxy } from './proxy/proxies.js';
import type { Making } from './proxy/tunnel.js';
import { sendBody } from './requestBody.js';
import { limit, watch, type HandlerTimes } from './silence.js';
import { Sockets, type Way } from './sockets.js';
import type { Transport } from './transport.js';

/** The part of the SDK's request that goes over the wire. */
interface WireRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: Record<string, string | string[] | null>;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

interface WireResponse {
  readonly statusCode: number;
  readonly reason: string | undefined;
  readonly headers: Record<string, string>;
  readonly body: IncomingMessage;
}

/** Of an answer, in bytes: servers take more metadata than Node expects of headers in all. */
const maxHeaderSize = 256 * 1024;

/** Nothing of the answer had come, and doing it twice is as good as once. */
function mayRepeat(method: string, outgoing: ClientRequest, code: string | undefined): boolean {
  const read = method === 'GET' || method === 'HEAD';
  return read && outgoing.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
}

/**
 * Carries the SDK's requests over one pool of sockets.
 *
 * A server closes a kept connection whenever it likes, perhaps just as it is used again: a read that meets this goes out
 * once more at once, until it meets a living or a new connection. Anything else fails, and is looked at by those who
 * know whether it may be repeated.
 *
 * The SDK's own handler measures its timeouts from the moment a request is queued for a socket, so a busy pool looks
 * like a dead server, and a slow upload like a stalled one. Here a single timer per socket watches for silence: while
 * it connects, until the answer starts, and (for reads, where the server has nothing left to compute) between the
 * pieces of the body.
 */
export class HttpHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #sockets: Sockets;
  readonly #times: HandlerTimes;

  constructor(maxSockets: number, times: HandlerTimes, transport: Transport) {
    this.#times = times;
    this.#sockets = new Sockets(maxSockets, transport);
  }

  get http(): HttpAgent {
    return this.#sockets.http;
  }

  get https(): HttpsAgent {
    return this.#sockets.https;
  }

  handle(
    request: WireRequest,
    options: { readonly abortSignal?: unknown; readonly requestTimeout?: number } = {},
  ): Promise<{ response: WireResponse }> {
    const patience = options.requestTimeout === undefined ? {} : { requestTimeout: options.requestTimeout };
    return new Promise((resolve, reject) => {
      const signal = options.abortSignal as AbortSignal | undefined;
      if (signal?.aborted === true) reject(aborted());
      else {
        try {
          this.#send(request, { ...this.#times, ...patience }, signal, resolve, reject);
        } catch (error) {
          // It cannot be sent: a header holds a line end.
          reject(plain(error as NodeJS.ErrnoException));
        }
      }
    });
  }

  #send(
    request: WireRequest,
    times: HandlerTimes,
    signal: AbortSignal | undefined,
    resolve: (answer: { response: WireResponse }) => void,
    reject: (error: Error) => void,
  ): void {
    let way: Way;
    try {
      way = this.#sockets.wayTo(request);
    } catch (error) {
      reject(error as Error);
      return;
    }
    const { handedTo } = way;
    const secure = handedTo === undefined ? request.protocol === 'https:' : handedTo.secure;
    const making: Making = { within: times.connectionTimeout, signal };
    const outgoing = (secure ? httpsRequest : httpRequest)({
      ...(handedTo === undefined ? direct(request) : handed(request, handedTo)),
      method: request.method,
      agent: way.agent,
      maxHeaderSize,
      ...{ making },
    });
    let answered = false;
    let failed = false;
    const onAbort = (): void => {
      // A request that still waits for a socket emits nothing when it is destroyed: hence the rejection.
      outgoing.destroy();
      settled();
      reject(aborted());
    };
    watch(outgoing, request.method, secure, times);
    const unmade = way.foreign === undefined ? undefined : limit(outgoing, times.connectionTimeout, reject);
    const settled = (): void => {
      signal?.removeEventListener('abort', onAbort);
      unmade?.();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    outgoing.once('close', () => {
      settled();
      // The end without an answer or an error: the server wants another protocol (101).
      if (!answered && !failed) reject(unanswered());
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      failed = true;
      // Without a socket there is no end to hear of.
      settled();
      if (!answered && signal?.aborted !== true && mayRepeat(request.method, outgoing, error.code))
        this.#send(request, times, signal, resolve, reject);
      else reject(plain(handedTo === undefined ? error : named(handedTo, error)));
    });
    outgoing.on('response', (incoming) => {
      answered = true;
      if (handedTo !== undefined && incoming.statusCode === 407) {
        incoming.resume();
        reject(refused(handedTo, incoming, authorityOf(request)));
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

  // The SDK adjusts handlers it made itself; this one is complete.
  updateHttpClientConfig(): void {
    // Nothing to adjust.
  }

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }
}

/** The request as the server wants it. */
function direct({ hostname, port, path, query, headers }: WireRequest): RequestOptions {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port, path: path + queryString(query), headers };
}

/** The request as a proxy wants it that takes it for the server. Nothing in it is normalized: it is signed. */
function handed(request: WireRequest, proxy: Proxy): RequestOptions {
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

/** Without what hangs off Node's error: the SDK and the logs of others get a message and a code. */
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

/** Percent-encodes all but the unreserved characters of RFC 3986, as SigV4 counts on. */
export function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
