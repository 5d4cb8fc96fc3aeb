import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Subscription, forkJoin, lastValueFrom } from 'rxjs';
import type { Logger } from '../../../src/config/logger.js';
import { createJob, fileSink, files, text } from '../../../src/index.js';
import type { Clock } from '../../../src/flow/index.js';
import {
  startGateway,
  type Fault,
  type FaultRequest,
  type Gateway,
} from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { openStores, type OpenedStores, type OpenStoresOptions } from '../../../src/store/open.js';
import { seeded } from '../../../src/testing/store/support.js';
import { fast } from '../fastClock.js';
import { credentials } from '../s3support.js';

const slowDown: Fault = { failure: { kind: 'answer', status: 503, code: 'SlowDown' } };

let refuse: (request: FaultRequest) => boolean;
let seen: { readonly operation: string; readonly refused: boolean }[];
let gateway: Gateway;
let stores: OpenedStores;
let said: { readonly level: string; readonly context: Record<string, unknown>; readonly message: string }[];

const noting = (level: string) => (context: object, message: string) =>
  void said.push({ level, context: context as Record<string, unknown>, message });
const logger: Logger = {
  debug: noting('debug'),
  info: noting('info'),
  warn: noting('warn'),
  error: noting('error'),
};

function open(options: OpenStoresOptions['s3'] = {}, clock: Clock = fast): void {
  stores = openStores({
    s3: { endpoint: gateway.endpoint, credentials, region: 'us-east-1', ...options },
    clock,
    random: seeded(7),
    logger,
  });
}

beforeEach(async () => {
  seen = [];
  said = [];
  refuse = () => false;
  gateway = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials,
    faults: (request) => {
      const refused = refuse(request);
      seen.push({ operation: request.operation, refused });
      return refused ? slowDown : undefined;
    },
  });
  open();
});
afterEach(async () => {
  stores.close();
  await gateway.close();
});

const body = Buffer.from('x');
const puts = (count: number, uri = 's3://lake/') => {
  const { store } = stores.open(uri);
  return lastValueFrom(forkJoin(Array.from({ length: count }, (_, i) => store.put(`k${i}`, body))));
};
/** The rates that were set, in order. */
const rates = (): number[] =>
  said
    .filter(({ message }) => /fewer|no longer/.test(message))
    .map(({ context, level }) => (level === 'warn' ? (context['rate'] as number) : Infinity));
const refused = (): number => seen.filter((one) => one.refused).length;

test('a storm of 503 lowers the rate, every request succeeds, and good answers lift the limit', async () => {
  refuse = () => refused() < 30;
  await puts(100);
  expect(refused()).toBe(30);
  expect(seen).toHaveLength(130);
  expect(rates().length).toBeGreaterThan(0);
  expect(rates().at(0)).toBeLessThan(Infinity);
  for (let i = 0; i < 100 && rates().at(-1) !== Infinity; i++) await puts(10);
  expect(rates().at(-1)).toBe(Infinity);
});

test('a whole job succeeds although every request is refused twice', async () => {
  const { store } = stores.open('s3://lake/');
  for (let i = 0; i < 5; i++) await lastValueFrom(store.put(`in/${i}.txt`, Buffer.from(`${i}a\n${i}b\n`)));
  refuse = ({ attempt }) => attempt <= 2;
  const job = createJob({
    name: 'storm',
    checkpoints: { dir: 's3://lake/checkpoints', interval: '5s' },
    s3: { endpoint: gateway.endpoint, credentials, region: 'us-east-1' },
    clock: fast,
    random: seeded(3),
    restart: 'none',
    logger,
  });
  const lines = job.source('in', files('s3://lake/in/*.txt', { format: text() }));
  await job.run(lines.pipe(fileSink('out', 's3://lake/out', { format: text() })));
  refuse = () => false;
  const { objects } = await lastValueFrom(store.list({ prefix: 'out/' }));
  const bodies = await Promise.all(objects.map(({ key }) => lastValueFrom(store.get(key))));
  const written = bodies.flatMap(({ chunks }) => Buffer.concat(chunks).toString().trim().split('\n'));
  expect(written.sort()).toEqual(['0a', '0b', '1a', '1b', '2a', '2b', '3a', '3b', '4a', '4b']);
  expect(refused()).toBeGreaterThan(20);
  expect(said.map(({ message }) => message)).toEqual(
    expect.arrayContaining([
      'The job runs',
      'Probed the server',
      'Throttled: the request is sent again later',
      'The job has finished',
    ]),
  );
});

/** A clock that stands still: whatever waits for it waits forever. */
const still: Clock = { now: () => 0, after: () => new Subscription(), yield: (work) => fast.yield(work) };

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

test('a manifest does not wait behind the requests that are held back', async () => {
  stores.close();
  open({ maxSockets: 10 }, still);
  const { store, reserved } = stores.open('s3://lake/');
  refuse = ({ key }) => key !== 'manifest';
  const held = Array.from({ length: 60 }, (_, i) => store.put(`k${i}`, body).subscribe());
  await until(() => refused() === 10 && rates().length > 0);
  const { etag } = await lastValueFrom(reserved.put('manifest', body, { ifNoneMatch: '*' }));
  expect(etag).not.toBe('');
  expect(seen).toHaveLength(11);
  for (const one of held) one.unsubscribe();
});

test('a manifest does not even wait after one that was refused', async () => {
  stores.close();
  open({}, still);
  const { reserved } = stores.open('s3://lake/');
  refuse = ({ key }) => key !== 'manifest';
  const refusedOne = reserved.put('other', body).subscribe();
  await until(() => said.some(({ message }) => message.startsWith('Throttled')));
  await lastValueFrom(reserved.put('manifest', body));
  refusedOne.unsubscribe();
});

test('a refused manifest is in doubt: its writer repeats it, and nobody else', async () => {
  refuse = () => true;
  const { reserved } = stores.open('s3://lake/');
  const put = lastValueFrom(reserved.put('manifest', body, { ifNoneMatch: '*' }));
  await expect(put).rejects.toMatchObject({ code: 'Throttled' });
  expect(seen).toHaveLength(1);
  await expect(lastValueFrom(reserved.head('manifest'))).rejects.toMatchObject({ code: 'Throttled' });
  expect(seen).toHaveLength(5);
});

test.each([
  ['10', {}, 10_000],
  ['86400', {}, 20_000],
  ['86400', { cap: '1s' }, 1000],
] as const)(
  'Retry-After: %s is waited for, by the request and by all others of the bucket, within the cap',
  async (asked, retry, hold) => {
    stores.close();
    const at: number[] = [];
    const waits: number[] = [];
    const noted: Clock = {
      ...fast,
      after: (ms, work) => {
        waits.push(ms);
        return fast.after(ms, work);
      },
    };
    const server = createServer((request, response) => {
      request.resume();
      at.push(fast.now());
      if (at.length === 1) response.writeHead(503, { 'retry-after': asked }).end();
      else response.writeHead(200, { etag: '"e"' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      open({ endpoint: `http://127.0.0.1:${port}`, maxSockets: 1, retry }, noted);
      await puts(3);
      expect(at).toHaveLength(4);
      expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(hold - 100);
      expect(Math.max(...waits)).toBe(hold);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },
);

test('maxRetries, base, throttledBase and cap are those of the options', async () => {
  stores.close();
  open({ retry: { maxRetries: 5, base: '1s', throttledBase: '4s', cap: '10s' } });
  refuse = () => true;
  await expect(puts(1)).rejects.toMatchObject({ code: 'Throttled' });
  expect(seen).toHaveLength(6);
  const delays = said
    .filter(({ message }) => message.startsWith('Throttled'))
    .flatMap(({ context }) => ('delay' in context ? [context['delay'] as number] : []));
  const draw = seeded(7);
  expect(delays).toEqual([4000, 8000, 10_000, 10_000, 10_000].map((most) => Math.round(draw() * most)));
});
