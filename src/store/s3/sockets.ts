import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions } from 'node:https';
import type { Proxy } from './proxy/proxies.js';
import { TunnelAgent } from './proxy/tunnel.js';
import type { Transport } from './transport.js';

/** By what a request goes. */
export interface Way {
  readonly agent: HttpAgent;
  /** Takes the request in place of the server, with the whole URL in it. */
  readonly handedTo?: Proxy;
  /** Leads to the server, and is asked for the connection. */
  readonly through?: Proxy;
  /** The agent is the user's: nobody knows what it does to make a connection. */
  readonly foreign?: true;
}

/** One pool of sockets, of at most so many for each server, or each proxy that requests are handed to. */
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
  wayTo(server: { readonly protocol: string; readonly hostname: string; readonly port?: number }): Way {
    const secure = server.protocol === 'https:';
    const agent = this.#transport.agentFor(secure ? 'https' : 'http');
    if (agent !== undefined) return { agent, foreign: true };
    const proxy = this.#transport.proxyFor(server);
    if (proxy === undefined) return { agent: secure ? this.https : this.http };
    if (!secure) return { agent: proxy.secure ? this.https : this.http, handedTo: proxy };
    let tunnel = this.#tunnels.get(proxy);
    if (tunnel === undefined) this.#tunnels.set(proxy, (tunnel = new TunnelAgent(proxy, this.#secured)));
    return { agent: tunnel, through: proxy };
  }

  /** Closes all that are our own. */
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
