import { request as httpRequest, type ClientRequest } from 'node:http';
import { Agent, request as httpsRequest, type AgentOptions } from 'node:https';
import { isIPv6, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { proxyRefused, withProxy } from './errors.js';
import type { Proxy } from './proxies.js';

/** Options of a request for its connection. */
export interface ConnectOptions {
  /** Milliseconds to connect: to the proxy, through it, and the TLS handshake. */
  readonly within: number;
  readonly signal: AbortSignal | undefined;
}

/** The options of a request, as Node passes them to `createConnection`. */
interface Connection {
  readonly host?: string | null;
  readonly port?: number | string | null;
  readonly connectOptions?: ConnectOptions;
}

type Made = (error: Error | null, socket?: TLSSocket) => void;

/**
 * Pools connections to https servers through a proxy. A connection is handed out once its TLS handshake is done; an
 * abandoned one is destroyed with its request to the proxy.
 */
export class TunnelAgent extends Agent {
  readonly #proxy: Proxy;
  readonly #options: AgentOptions;
  readonly #underWay = new Set<() => void>();

  constructor(proxy: Proxy, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
    this.#options = options;
  }

  override createConnection(...given: unknown[]): TLSSocket | undefined {
    const [options, made] = given as [Connection, Made];
    const { connectOptions } = options;
    let secured: TLSSocket | undefined;
    const end = (error: Error | null, socket?: TLSSocket): void => {
      if (!this.#underWay.delete(give)) return;
      clearTimeout(late);
      connectOptions?.signal?.removeEventListener('abort', give);
      if (error !== null) {
        secured?.destroy();
        connect.destroy();
      }
      made(error, socket);
    };
    const failed = (error: NodeJS.ErrnoException): void => end(withProxy(this.#proxy, error));
    const give = (): void => end(new Error('The connection is not wanted any more'));
    const late = setTimeout(() => failed(timedOut(connectOptions?.within)), connectOptions?.within);
    this.#underWay.add(give);
    connectOptions?.signal?.addEventListener('abort', give, { once: true });
    const connect = this.#connect(options, failed, (socket) => {
      secured = super.createConnection({ ...options, socket } as never) as TLSSocket;
      const broken = (error: Error): void => end(error);
      secured.once('error', broken);
      secured.once('secureConnect', () => {
        secured?.off('error', broken);
        end(null, secured);
      });
    });
    return undefined;
  }

  /** Opens a tunnel to the server. */
  #connect(
    { host, port }: Connection,
    failed: (error: Error) => void,
    made: (socket: Socket) => void,
  ): ClientRequest {
    const { secure, ...proxy } = this.#proxy;
    const name = isIPv6(host ?? '') ? `[${host ?? ''}]` : (host ?? '');
    const place = `${name}:${port ?? 443}`;
    const { secureContext } = this.#options;
    const asked = (secure ? httpsRequest : httpRequest)({
      method: 'CONNECT',
      host: proxy.host,
      port: proxy.port,
      path: place,
      headers: { host: place, ...proxy.headers() },
      agent: false,
      ...(secureContext === undefined ? {} : { secureContext }),
    });
    asked.once('error', failed);
    asked.once('connect', (answer, socket, head) => {
      const status = answer.statusCode ?? 0;
      if (status >= 200 && status < 300) {
        if (head.length > 0) socket.unshift(head);
        made(socket);
      } else {
        socket.destroy();
        failed(proxyRefused(this.#proxy, answer, place));
      }
    });
    asked.end();
    return asked;
  }

  override destroy(): void {
    for (const give of [...this.#underWay]) give();
    super.destroy();
  }
}

function timedOut(ms: number | undefined): Error {
  return Object.assign(new Error(`no connection within ${ms ?? 0} ms`), {
    name: 'TimeoutError',
    code: 'ETIMEDOUT',
  });
}
