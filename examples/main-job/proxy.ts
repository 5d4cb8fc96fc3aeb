/**
 * The line between the job and its store: it lets every request through byte for byte (signatures stay valid, the
 * signed Host is passed on unchanged), except that it
 *
 * 1. paces the reading of the input (pace.ts), and
 * 2. holds the one request at which the job is to be killed (aim.ts): `before` it takes effect, unsent or, if it is a
 *    part, with half of its body sent; or `after` the store has done it, with the answer kept back. What is held is
 *    dropped once the job is dead; nobody but the dead is ever lied to.
 *
 * It speaks path-style S3 over http to the job, and http or https to a server that accepts any Host name (Ceph, MinIO,
 * the embedded one).
 */
import {
  Agent,
  createServer,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { classify, type Aim, type Kind, type Layout, type Moment, type RequestKind } from './aim.js';
import type { Pace } from './pace.js';

export interface ProxyOptions {
  /** The real server. */
  readonly upstream: string;
  readonly layout: Layout;
  readonly aim: Aim;
  readonly pace: Pace;
  /** The store has accepted this entry of the job's log. */
  readonly committed: (entry: Buffer) => void;
  /** A target is held: kill the job. Resolves when it is dead; `false` if it was left alone. */
  readonly strike: (kind: Kind, moment: Moment) => Promise<boolean>;
}

export interface Proxy {
  readonly endpoint: string;
  /** Requests seen, by kind. */
  readonly seen: Readonly<Record<RequestKind, number>>;
  close(): Promise<void>;
}

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const line = new Line(options);
  const server = createServer((request, response) => {
    line.serve(request, response).catch(() => {
      // One side has disconnected, so the other is disconnected, too.
      response.destroy();
    });
  });
  server.requestTimeout = 0;
  await new Promise<void>((ready, failed) => {
    server.once('error', failed).listen(0, '127.0.0.1', ready);
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port.toString()}`,
    seen: line.seen,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
        line.close();
      }),
  };
}

class Line {
  readonly seen: Record<RequestKind, number> = {
    part: 0,
    journal: 0,
    manifest: 0,
    complete: 0,
    input: 0,
    other: 0,
  };
  readonly #options: ProxyOptions;
  readonly #upstream: URL;
  readonly #agent: Agent;
  #striking = false;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#upstream = new URL(options.upstream);
    this.#agent =
      this.#upstream.protocol === 'https:'
        ? new TlsAgent({ keepAlive: true })
        : new Agent({ keepAlive: true });
  }

  close(): void {
    this.#agent.destroy();
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const kind = classify(this.#options.layout, method, url);
    this.seen[kind]++;
    const moment = this.#striking ? undefined : this.#options.aim.consider(kind);
    if (moment === undefined || kind === 'input' || kind === 'other') {
      await this.#answer(kind, request, response, await this.#forward(kind, request, response));
      return;
    }
    this.#striking = true;
    try {
      if (moment === 'before') {
        await this.#strikeBefore(kind, request, response);
        return;
      }
      const answer = await this.#forward(kind, request, response);
      // Without effect it is not the moment that was meant; nor if the job was not to be struck after all.
      if (!succeeded(answer) || !(await this.#options.strike(kind, 'after'))) {
        await this.#answer(kind, request, response, answer);
        return;
      }
      answer.resume();
      response.destroy();
    } finally {
      this.#striking = false;
    }
  }

  async #strikeBefore(kind: Kind, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let upstream: ClientRequest | undefined;
    if (kind === 'part') {
      upstream = this.#open(request);
      upstream.on('error', () => undefined);
      let toSend = Number(request.headers['content-length'] ?? 0) / 2;
      // Leaving the loop must not close the connection: the job waits for its answer until it is killed.
      const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      for await (const chunk of body) {
        await sent(upstream, chunk.subarray(0, Math.ceil(toSend)));
        if ((toSend -= chunk.length) <= 0) break;
      }
    }
    await this.#options.strike(kind, 'before');
    upstream?.destroy();
    response.destroy();
  }

  #open(request: IncomingMessage): ClientRequest {
    const send = this.#upstream.protocol === 'https:' ? httpsRequest : httpRequest;
    return send({
      host: this.#upstream.hostname,
      port: this.#upstream.port,
      method: request.method,
      path: request.url,
      agent: this.#agent,
      // As they came, so that what was signed is what arrives; `Expect` was for this hop, which has answered it.
      headers: endToEnd(request.rawHeaders),
      setHost: false,
    });
  }

  async #forward(
    kind: RequestKind,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<IncomingMessage> {
    const body: Buffer[] = [];
    if (kind === 'manifest') request.on('data', (chunk: Buffer) => body.push(chunk));
    const answer = await this.#send(request, response);
    if (kind === 'manifest' && succeeded(answer)) this.#options.committed(Buffer.concat(body));
    return answer;
  }

  #send(request: IncomingMessage, response: ServerResponse): Promise<IncomingMessage> {
    return new Promise((answered, failed) => {
      const upstream = this.#open(request);
      upstream.once('response', answered).once('error', failed);
      request.once('error', failed);
      response.once('close', () => {
        if (!response.writableFinished) upstream.destroy(new Error('The job is gone.'));
      });
      request.pipe(upstream);
    });
  }

  async #answer(
    kind: RequestKind,
    request: IncomingMessage,
    response: ServerResponse,
    answer: IncomingMessage,
  ) {
    // Sent with the first bytes, not before: a client may give up on a body that has begun and stands still.
    const begin = (): ServerResponse =>
      response.writeHead(answer.statusCode ?? 502, endToEnd(answer.rawHeaders));
    if (kind !== 'input' || !succeeded(answer)) {
      begin();
      answer.on('error', () => response.destroy());
      answer.pipe(response);
      return;
    }
    const { pathname } = new URL(request.url ?? '/', 'http://store');
    const key = decodeURIComponent(pathname.slice(this.#options.layout.bucket.length + 2));
    const start = Number(/^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1] ?? 0);
    const reader = this.#options.pace.reader(key, start);
    response.once('close', () => reader.done());
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      await reader.pass(chunk.length);
      if (response.destroyed) return;
      if (!response.headersSent) begin();
      if (!response.write(chunk)) await writable(response);
    }
    if (!response.headersSent) begin();
    response.end();
  }
}

function succeeded(answer: IncomingMessage): boolean {
  return answer.statusCode !== undefined && answer.statusCode < 300;
}

/** Writes, and waits until it is on its way or can't be. */
function sent(request: ClientRequest, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    request.once('close', resolve).write(chunk, () => {
      request.off('close', resolve);
      resolve();
    });
  });
}

/** Resolves when it accepts more data, or is closed. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}

/** Header pairs without hop-by-hop headers. */
function endToEnd(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = [raw[i], raw[i + 1]];
    if (!/^(connection|keep-alive|proxy-connection|expect|transfer-encoding)$/i.test(name))
      kept.push(name, value);
  }
  return kept;
}
