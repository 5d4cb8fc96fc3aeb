import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { concat, forkJoin, lastValueFrom, Subject } from 'rxjs';
import { systemClock, type Clock } from '../../../src/flow/index.js';
import { startGateway, type Faults, type GatewayEvent } from '../../../src/store/gateway/index.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import type { Stores } from '../../../src/store/services.js';
import { authority } from '../../store/certificates.js';
import { startProxy, startTls, type Passed, type ProxyServer } from '../../store/proxies.js';
import {
  configured,
  header,
  listen,
  put,
  putTo,
  putToAws,
  signedBy,
  using,
  type Effects,
} from './listener.js';

/** The requests to a proxy on the way to a server. */
export async function passedBy(
  set: (proxy: ProxyServer) => Readonly<Record<string, unknown>>,
  bucket = 'lake',
): Promise<readonly Passed[]> {
  const listener = await listen();
  const proxy = await startProxy({ to: listener.port });
  try {
    await putTo(listener, configured({ 's3.endpoint': 'http://s3.test', ...set(proxy) }), bucket);
    return proxy.passed;
  } finally {
    proxy.close();
  }
}

/** Whether the certificate of a server is trusted. */
export async function trusts(
  set: (bundle: string) => Readonly<Record<string, unknown>>,
  bucket = 'lake',
): Promise<boolean> {
  const listener = await listen();
  const front = await startTls(listener.port);
  const directory = mkdtempSync(join(tmpdir(), 'millrace-effects-'));
  const bundle = join(directory, 'ca.pem');
  writeFileSync(bundle, authority);
  try {
    await putTo(
      listener,
      configured({ 's3.endpoint': `https://localhost:${front.port}`, ...set(bundle) }),
      bucket,
    );
    return true;
  } catch (error) {
    expect(String(error)).toMatch(/certificate/);
    return false;
  } finally {
    front.close();
    rmSync(directory, { recursive: true });
  }
}

/** What the gateway observes of some work: one event for each request. */
async function atGateway(
  set: Readonly<Record<string, unknown>>,
  work: (stores: Stores) => Promise<unknown>,
  options: { faults?: Faults; store?: ObjectStore; clock?: Clock; random?: () => number } = {},
): Promise<{ readonly events: readonly GatewayEvent[]; readonly most: number }> {
  const { faults, store = createMemoryStore(), ...context } = options;
  const events: GatewayEvent[] = [];
  let under = 0;
  let most = 0;
  await served(
    {
      buckets: { lake: store },
      credentials: { accessKeyId: 'KEY', secretAccessKey: 'SECRET' },
      ...(faults === undefined ? {} : { faults }),
      observe: (event) => {
        if (event.phase === 'started') {
          events.push(event);
          most = Math.max(most, ++under);
        }
        if (event.phase === 'finished' || event.phase === 'aborted') under--;
      },
    },
    (endpoint) => using(configured({ 's3.endpoint': endpoint, ...set }), work, context),
  );
  return { events, most };
}

async function served(
  options: Parameters<typeof startGateway>[0],
  work: (endpoint: string) => Promise<unknown>,
): Promise<void> {
  const gateway = await startGateway(options);
  try {
    await work(gateway.endpoint);
  } finally {
    await gateway.close();
  }
}

const lake = (stores: Stores) => stores.open('s3://lake/key');

/** The most requests in flight of ten that are made together. None is answered before `expected` have arrived. */
async function burst(
  set: Readonly<Record<string, unknown>>,
  place: 'store' | 'reserved',
  expected: number,
): Promise<number> {
  const arrived = new Subject<never>();
  let count = 0;
  const store = decorate(createMemoryStore(), (_, run) => {
    if (++count === expected) arrived.complete();
    return concat(arrived, run);
  });
  const puts = (stores: Stores) =>
    Array.from({ length: 10 }, (_, i) => lake(stores)[place].put(`k${i}`, Buffer.from('x')));
  const { most } = await atGateway(set, (stores) => lastValueFrom(forkJoin(puts(stores))), {
    store,
    // More than expected would arrive meanwhile.
    faults: () => ({ delay: 30 }),
  });
  return most;
}

const failing =
  (code: string, status = 500): Faults =>
  () => ({ failure: { kind: 'answer', status, code } });

/** Delays of at least a second are recorded and skipped. */
function impatient(): { readonly clock: Clock; readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    clock: {
      ...systemClock,
      after: (delay, work) => {
        if (delay < 1000 || delay > 30_000) return systemClock.after(delay, work);
        waits.push(delay);
        return systemClock.yield(work);
      },
    },
  };
}

/** The delays between the attempts of a request that always fails. */
async function waitsOf(set: Readonly<Record<string, unknown>>, faults: Faults): Promise<readonly number[]> {
  const { clock, waits } = impatient();
  await atGateway(
    { 's3.retry.max-num-retries': 2, ...set },
    (stores) => expect(lastValueFrom(lake(stores).store.head('a'))).rejects.toThrow(),
    { faults, clock, random: () => 0.5 },
  );
  return waits;
}

const tries = async (retries: number): Promise<number> => {
  const { events } = await atGateway(
    { 's3.retry.max-num-retries': retries, 's3.retry.base-delay': '1ms' },
    (stores) => expect(lastValueFrom(lake(stores).store.head('a'))).rejects.toThrow(),
    { faults: failing('InternalError') },
  );
  return events.length;
};

/** A request without progress fails soon. */
const givesUp =
  (set: Readonly<Record<string, unknown>>, act: (stores: Stores) => Promise<unknown>, faults: Faults) =>
  async (): Promise<void> => {
    await atGateway(set, (stores) => expect(act(stores)).rejects.toMatchObject({ code: 'Unavailable' }), {
      faults,
    });
  };

const stalled: Faults = ({ operation }) =>
  operation === 'PutObject' ? undefined : { failure: { kind: 'stall', at: 'start' } };

/** How often a body is requested that breaks off or stalls in the middle. */
async function bodyRequests(
  set: Readonly<Record<string, unknown>>,
  failure: 'cut' | 'stall',
): Promise<number> {
  const { events } = await atGateway(
    set,
    async (stores) => {
      await lastValueFrom(lake(stores).store.put('big', Buffer.alloc(200_000)));
      await lastValueFrom(lake(stores).store.get('big')).catch(() => undefined);
    },
    {
      faults: ({ operation }) =>
        operation === 'GetObject' ? { failure: { kind: failure, at: 40_000 } } : undefined,
    },
  );
  return events.filter(({ operation }) => operation === 'GetObject').length;
}

async function deaf(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}

export const connectionEffects: Effects = {
  's3.region': async () => {
    expect(signedBy((await put({ 's3.region': 'eu-west-3' }))[0]!)).toEqual(['KEY', 'eu-west-3']);
  },
  's3.endpoint': async () => {
    const listener = await listen();
    await putTo(listener, configured({ 's3.endpoint': listener.endpoint }));
    expect(listener.seen).toHaveLength(1);
    await putTo(listener, configured({ 's3.endpoint': `${listener.endpoint}/storage/v1` }));
    expect(listener.seen[1]?.url).toMatch(/^\/storage\/v1\/lake\/key\b/);
  },
  's3.path-style-access': async () => {
    expect((await putToAws({}))[0]).toMatchObject({
      headers: { host: 'lake.s3.us-east-1.amazonaws.com' },
      url: '/key?x-id=PutObject',
    });
    expect((await putToAws({ 's3.path-style-access': true }))[0]).toMatchObject({
      headers: { host: 's3.us-east-1.amazonaws.com' },
      url: '/lake/key?x-id=PutObject',
    });
  },
  's3.spi.force-path-style': async () => {
    expect(header(await putToAws({ 's3.spi.force-path-style': true }), 'host')).toBe(
      's3.us-east-1.amazonaws.com',
    );
  },
  's3.chunked-encoding.enabled': async () => {
    const set = { 's3.integrity-check-algorithm': 'CRC32' };
    expect(header(await put(set), 'content-encoding')).toBeUndefined();
    expect(header(await put({ ...set, 's3.chunked-encoding.enabled': true }), 'content-encoding')).toBe(
      'aws-chunked',
    );
  },
  's3.checksum-validation.enabled': async () => {
    const asked = async (on: boolean): Promise<string | undefined> => {
      const listener = await listen();
      const config = configured({ 's3.endpoint': listener.endpoint, 's3.checksum-validation.enabled': on });
      await using(config, (stores) => lastValueFrom(lake(stores).store.get('key')));
      return header(listener.seen, 'x-amz-checksum-mode');
    };
    expect(await asked(true)).toBe('ENABLED');
    expect(await asked(false)).toBeUndefined();
  },
  's3.integrity-check-algorithm': async () => {
    const of = (value: string) => put({ 's3.integrity-check-algorithm': value });
    expect(header(await of('CRC32'), 'x-amz-checksum-crc32')).toBeDefined();
    expect(header(await of('CRC32C'), 'x-amz-checksum-crc32c')).toBeDefined();
    expect(header(await of('CRC64NVME'), 'x-amz-checksum-crc64nvme')).toBeDefined();
    expect(header(await of('MD5'), 'content-md5')).toMatch(/^[A-Za-z0-9+/]{22}==$/);
    expect(Object.keys((await of('disabled'))[0]!.headers).join()).not.toContain('checksum');
  },
  's3.payload-signing': async () => {
    const of = async (value: string) =>
      header(await put({ 's3.payload-signing': value }), 'x-amz-content-sha256');
    expect(await of('signed')).toMatch(/^[0-9a-f]{64}$/);
    expect(await of('unsigned')).toBe('UNSIGNED-PAYLOAD');
  },
  's3.storage-class': async () => {
    expect(header(await put({}), 'x-amz-storage-class')).toBeUndefined();
    expect(header(await put({ 's3.storage-class': 'STANDARD_IA' }), 'x-amz-storage-class')).toBe(
      'STANDARD_IA',
    );
  },
  's3.acl': async () => {
    expect(header(await put({}), 'x-amz-acl')).toBeUndefined();
    expect(header(await put({ 's3.acl': 'bucket-owner-full-control' }), 'x-amz-acl')).toBe(
      'bucket-owner-full-control',
    );
  },
  's3.requester-pays': async () => {
    expect(header(await put({}), 'x-amz-request-payer')).toBeUndefined();
    expect(header(await put({ 's3.requester-pays': true }), 'x-amz-request-payer')).toBe('requester');
  },
  's3.dual-stack.enabled': async () => {
    expect(header(await putToAws({ 's3.dual-stack.enabled': true }), 'host')).toBe(
      'lake.s3.dualstack.us-east-1.amazonaws.com',
    );
  },
  's3.transfer-acceleration.enabled': async () => {
    expect(header(await putToAws({ 's3.transfer-acceleration.enabled': true }), 'host')).toBe(
      'lake.s3-accelerate.amazonaws.com',
    );
  },
  's3.proxy': async () => {
    expect(await passedBy(({ host }) => ({ 's3.proxy': `http://me:pass@${host}` }))).toMatchObject([
      { target: 'http://s3.test/lake/key?x-id=PutObject', authorization: 'Basic bWU6cGFzcw==' },
    ]);
    process.env['HTTP_PROXY'] = 'http://127.0.0.1:1';
    try {
      expect(await put({ 's3.proxy': 'none' })).toHaveLength(1);
    } finally {
      delete process.env['HTTP_PROXY'];
    }
  },
  's3.no-proxy': async () => {
    expect(await put({ 's3.proxy': 'http://127.0.0.1:1', 's3.no-proxy': 'x.test,127.0.0.1' })).toHaveLength(
      1,
    );
    const elsewhere = { 's3.no-proxy': 'x.test' };
    expect(await passedBy(({ host }) => ({ 's3.proxy': host, ...elsewhere }))).toHaveLength(1);
  },
  's3.ca-bundle': async () => {
    expect(await trusts((bundle) => ({ 's3.ca-bundle': bundle }))).toBe(true);
    expect(await trusts(() => ({}))).toBe(false);
  },
  's3.agent': async () => {
    const agent = new Agent({ keepAlive: true });
    try {
      for (const value of [agent, { http: agent }]) {
        await put({ 's3.agent': value });
        expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
        agent.destroy();
      }
    } finally {
      agent.destroy();
    }
  },
  's3.connection.max': async () => {
    expect(await burst({ 's3.connection.max': 2 }, 'store', 2)).toBe(2);
    expect(await burst({}, 'store', 10)).toBe(10);
  },
  's3.connection.reserved': async () => {
    expect(await burst({ 's3.connection.reserved': 2 }, 'reserved', 2)).toBe(2);
    expect(await burst({}, 'reserved', 4)).toBe(4);
  },
  's3.connection.timeout': async () => {
    // It accepts the connection, and never answers the TLS handshake.
    const { port, server } = await deaf();
    try {
      const config = configured({
        's3.endpoint': `https://127.0.0.1:${port}`,
        's3.connection.timeout': '50ms',
      });
      await using(config, (stores) =>
        expect(lastValueFrom(lake(stores).store.head('a'))).rejects.toMatchObject({ code: 'Unavailable' }),
      );
    } finally {
      server.close();
    }
  },
  's3.socket.timeout': givesUp(
    { 's3.socket.timeout': '50ms' },
    (stores) => lastValueFrom(lake(stores).store.head('a')),
    stalled,
  ),
  's3.spi.timeout-low': givesUp(
    { 's3.spi.timeout-low': '50ms' },
    (stores) => lastValueFrom(lake(stores).store.head('a')),
    stalled,
  ),
  's3.spi.timeout-high': givesUp(
    { 's3.spi.timeout-high': '50ms' },
    (stores) => lastValueFrom(lake(stores).store.copy('a', 'b')),
    stalled,
  ),
  's3.read.idle-timeout': async () => {
    expect(await bodyRequests({ 's3.read.idle-timeout': '30ms', 's3.read.max-resumes': 1 }, 'stall')).toBe(2);
  },
  's3.read.max-resumes': async () => {
    expect(await bodyRequests({ 's3.read.max-resumes': 0 }, 'cut')).toBe(1);
    expect(await bodyRequests({ 's3.read.max-resumes': 3 }, 'cut')).toBe(4);
  },
  's3.retry.max-num-retries': async () => {
    expect(await tries(0)).toBe(1);
    expect(await tries(2)).toBe(3);
  },
  's3.retry.base-delay': async () => {
    expect(await waitsOf({ 's3.retry.base-delay': '4s' }, failing('InternalError'))).toEqual([2000, 4000]);
  },
  's3.retry.throttled-base-delay': async () => {
    expect(await waitsOf({ 's3.retry.throttled-base-delay': '8s' }, failing('SlowDown', 503))).toEqual(
      expect.arrayContaining([4000, 8000]),
    );
  },
  's3.retry.max-delay': async () => {
    const set = { 's3.retry.base-delay': '4s', 's3.retry.max-delay': '5s' };
    expect(await waitsOf(set, failing('InternalError'))).toEqual([2000, 2500]);
  },
  's3.spi.endpoint-protocol': async () => {
    const listener = await listen();
    const place = `s3x://KEY:SECRET@127.0.0.1:${listener.port}/lake/key`;
    const head = (protocol: string) =>
      using(configured({ 's3.spi.endpoint-protocol': protocol }), (stores) =>
        lastValueFrom(stores.open(place).store.head('key')),
      );
    await head('http');
    expect(listener.seen).toHaveLength(1);
    await expect(head('https')).rejects.toThrow(/does not speak TLS/);
  },
};
