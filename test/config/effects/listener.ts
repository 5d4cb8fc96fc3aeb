import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { jest } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import type { Config, LoadOptions } from '../../../src/config/index.js';
import { openStores, type OpenStoresOptions } from '../../../src/store/open.js';
import type { Stores } from '../../../src/store/services.js';
import { load } from '../support.js';

/** The effects of keys, by key: each function fails if the key has none. */
export type Effects = Readonly<Record<string, () => Promise<void> | void>>;

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** A server that accepts every request, and records it. STS is at its root. */
export interface Listener {
  readonly endpoint: string;
  readonly port: number;
  readonly seen: Seen[];
  /** Answers instead if it returns true. */
  answer: (seen: Seen, response: ServerResponse) => boolean;
  close(): void;
}

const open: { close(): void }[] = [];

/** Closes every listener. */
export function closeAll(): void {
  for (const each of open.splice(0)) each.close();
}

export async function listen(): Promise<Listener> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const seen: Seen = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers as Seen['headers'],
        body: Buffer.concat(chunks).toString(),
      };
      listener.seen.push(seen);
      if (!listener.answer(seen, response)) welcome(seen, response);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const listener: Listener = {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    seen: [],
    answer: () => false,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  open.push(listener);
  return listener;
}

function welcome({ method, body }: Seen, response: ServerResponse): void {
  const action = new URLSearchParams(method === 'POST' ? body : '').get('Action');
  if (action === null) {
    response.writeHead(200, { etag: '"tag"', 'content-length': method === 'GET' ? '1' : '0' });
    response.end(method === 'GET' ? 'x' : '');
    return;
  }
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  response.writeHead(200, { 'content-type': 'text/xml' });
  response.end(
    `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>` +
      `<AccessKeyId>SESSION</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>` +
      `<Expiration>${expiration}</Expiration></Credentials></${action}Result></${action}Response>`,
  );
}

type Set = Readonly<Record<string, unknown>>;

/** The keys of every effect that sets no others. */
export const known: Set = {
  's3.access-key': 'KEY',
  's3.secret-key': 'SECRET',
  's3.region': 'us-east-1',
  's3.retry.max-num-retries': '0',
};

/** A configuration of flat keys over the usual ones. `undefined` removes one. */
export function configured(set: Set, more: LoadOptions = {}): Config {
  return load({ ...more, set: { ...known, ...set } });
}

/** Does something with the stores of a configuration. */
export async function using<T>(
  config: Config,
  work: (stores: Stores) => Promise<T>,
  options: OpenStoresOptions = {},
): Promise<T> {
  const stores = openStores({ s3: config.s3, ...options });
  try {
    return await work(stores);
  } finally {
    stores.close();
  }
}

/** What a server sees of a put to a bucket. */
export async function put(set: Set, bucket = 'lake', more: LoadOptions = {}): Promise<readonly Seen[]> {
  const listener = await listen();
  return putTo(listener, configured({ 's3.endpoint': listener.endpoint, ...set }, more), bucket);
}

export async function putTo(listener: Listener, config: Config, bucket = 'lake'): Promise<readonly Seen[]> {
  await using(config, (stores) =>
    lastValueFrom(stores.open(`s3://${bucket}/key`).store.put('key', Buffer.from('body'))),
  );
  return listener.seen;
}

/** What AWS would see of a put: its hosts all lead here, and nothing is encrypted on the way. */
export async function putToAws(set: Set, bucket = 'lake'): Promise<readonly Seen[]> {
  const listener = await listen();
  const spy = jest.spyOn(tls, 'connect').mockImplementation((() => {
    const socket = connect(listener.port, '127.0.0.1');
    socket.once('connect', () => socket.emit('secureConnect'));
    return socket;
  }) as unknown as typeof tls.connect);
  try {
    return await putTo(listener, configured(set), bucket);
  } finally {
    spy.mockRestore();
  }
}

/** The one header of the last request. */
export const header = (seen: readonly Seen[], name: string): string | undefined => seen.at(-1)?.headers[name];

/** `[access key, region]` that a request was signed with. */
export function signedBy({ headers }: Seen): readonly (string | undefined)[] {
  return /Credential=([^/]+)\/\d+\/([^/]+)/.exec(headers['authorization'] ?? '')?.slice(1) ?? [];
}
