import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions } from 'node:https';
import type { Proxy } from './proxy/proxies.js';
import { TunnelAgent } from './proxy/tunnel.js';
import type { Transport } from './transport.js';

/** The route of a request. */
export interface Route {
  readonly agent: HttpAgent;
  /** The forward proxy that receives the request, with its absolute URL. */
  readonly forwardProxy?: Proxy;
  /** The proxy that tunnels the connection. */
  readonly tunnelProxy?: Proxy;
  /** The agent is the user's, so how it connects is unknown. */
  readonly custom?: true;
}

/** A pool of at most `max` sockets per server or forward proxy. */
export class Sockets {
  readonly http: HttpAgent;
  readonly #max: number;
  readonly #transport: Transport;
  readonly #tunnels = new Map<Proxy, TunnelAgent>();
  #https: HttpsAgent | undefined;

  constructor(max: number, transport: Transport) {
    this.#max = max;
    this.#transport = transport;
    this.http = new HttpAgent(this.#kept);
  }

  get https(): HttpsAgent {
    return (this.#https ??= new HttpsAgent(this.#secured));
  }

  /** Throws `InvalidS3Options`. */
  routeTo(server: { readonly protocol: string; readonly hostname: string; readonly port?: number }): Route {
    const secure = server.protocol === 'https:';
    const agent = this.#transport.agentFor(secure ? 'https' : 'http');
    if (agent !== undefined) return { agent, custom: true };
    const proxy = this.#transport.proxyFor(server);
    if (proxy === undefined) return { agent: secure ? this.https : this.http };
    if (!secure) return { agent: proxy.secure ? this.https : this.http, forwardProxy: proxy };
    let tunnel = this.#tunnels.get(proxy);
    if (tunnel === undefined) this.#tunnels.set(proxy, (tunnel = new TunnelAgent(proxy, this.#secured)));
    return { agent: tunnel, tunnelProxy: proxy };
  }

  /** Closes all sockets, except those of the user's agent. */
  destroy(): void {
    this.http.destroy();
    this.#https?.destroy();
    for (const tunnel of this.#tunnels.values()) tunnel.destroy();
  }

  get #kept(): AgentOptions {
    return { keepAlive: true, maxSockets: this.#max, maxFreeSockets: this.#max };
  }

  get #secured(): AgentOptions {
    const secureContext = this.#transport.trust();
    return { ...this.#kept, ...(secureContext === undefined ? {} : { secureContext }) };
  }
}
