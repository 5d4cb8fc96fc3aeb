import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { concat, NEVER, take, VirtualTimeScheduler } from 'rxjs';
import type { Logger } from '../../../src/config/logger.js';
import { clockOf, type Clock } from '../../../src/flow/index.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { delayed } from '../../../src/store/decorators/delay.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import { startGateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import type { RequestEnd } from '../../../src/store/observe/channels.js';
import { observed } from '../../../src/store/observe/observed.js';
import { openStores } from '../../../src/store/open.js';
import { storeConformance } from '../../../src/testing/storeConformance.js';
import { fast } from '../fastClock.js';
import { answer, failure } from '../s3support.js';

type Message = RequestEnd & { readonly channel: string } & Record<string, unknown>;
let messages: Message[];
const stops: (() => void)[] = [];

function listen(...names: string[]): void {
  for (const name of names) {
    const listener = (message: unknown): void => {
      messages.push({ channel: name, ...(message as RequestEnd) });
    };
    subscribe(`millrace:request:${name}`, listener);
    stops.push(() => unsubscribe(`millrace:request:${name}`, listener));
  }
}
const listenToAll = (): void => listen('start', 'retry', 'error', 'end');
/** The messages without what differs from run to run. */
const told = (): unknown[] =>
  messages.map(({ request: { store, method, key, bytesUp }, ...rest }) => ({
    ...rest,
    request: { store, method, key, bytesUp },
  }));

beforeEach(() => {
  messages = [];
});
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const body = Buffer.from('12345');

storeConformance('observed memory', () => {
  listenToAll();
  return Promise.resolve({
    store: observed(createMemoryStore({ minimumPartSize: 10 }), { retry: {} }),
    close: () => Promise.resolve(),
    supports: { minimumPartSize: 10 },
  });
});

describe('a request is reported', () => {
  const time = (): { clock: Clock; flush: () => void } => {
    const scheduler = new VirtualTimeScheduler();
    return { clock: clockOf(scheduler), flush: () => scheduler.flush() };
  };
  const put = { store: 'memory://told', method: 'put', key: 'a', bytesUp: 5 };

  test('with its bytes and its time', () => {
    const { clock, flush } = time();
    const memory = createMemoryStore({ uri: 'memory://told', clock });
    const store = observed(delayed(memory, { before: () => 40, clock }), { clock });
    listenToAll();
    store.put('a', body).subscribe();
    flush();
    store.get('a', { range: { start: 1, end: 4 } }).subscribe();
    flush();
    const get = { ...put, method: 'get', bytesUp: 0 };
    expect(told()).toEqual([
      { channel: 'start', request: put },
      { channel: 'end', request: put, outcome: 'answered', duration: 40, tries: 1, bytesDown: 0 },
      { channel: 'start', request: get },
      { channel: 'end', request: get, outcome: 'answered', duration: 40, tries: 1, bytesDown: 3 },
    ]);
    const [first, second, third] = messages.map(({ request }) => request);
    expect(second).toBe(first);
    expect(third?.id).not.toBe(first?.id);
  });

  test('with its retries, and its final error', () => {
    const { clock, flush } = time();
    const bad = faulty(createMemoryStore({ uri: 'memory://told', clock }), { random: () => 0, before: 1 });
    const store = observed(bad, { clock, retry: { retries: 2, clock, random: () => 1 } });
    listenToAll();
    store.put('a', body).subscribe({ error: () => undefined });
    flush();
    expect(told()).toEqual([
      { channel: 'start', request: put },
      { channel: 'retry', request: put, failed: 1, delay: 100, code: 'Unavailable' },
      { channel: 'retry', request: put, failed: 2, delay: 200, code: 'Unavailable' },
      {
        channel: 'error',
        request: put,
        code: 'Unavailable',
        error: expect.objectContaining({ code: 'Unavailable' }) as unknown,
      },
      {
        channel: 'end',
        request: put,
        outcome: 'failed',
        duration: 300,
        tries: 3,
        bytesDown: 0,
        code: 'Unavailable',
      },
    ]);
  });

  test('also after its caller has unsubscribed', () => {
    const store = observed(decorate(createMemoryStore({ uri: 'memory://told' }), () => NEVER));
    listenToAll();
    store.put('a', body).subscribe().unsubscribe();
    expect(told()).toEqual([
      { channel: 'start', request: put },
      {
        channel: 'end',
        request: put,
        outcome: 'aborted',
        duration: expect.any(Number) as unknown,
        tries: 1,
        bytesDown: 0,
      },
    ]);
  });

  test('as answered if the caller does not wait for its completion', () => {
    const inner = createMemoryStore({ uri: 'memory://told' });
    const store = observed(decorate(inner, (_, run) => concat(run, NEVER)));
    listen('end');
    store.put('a', body).pipe(take(1)).subscribe();
    store.get('a').pipe(take(1)).subscribe();
    expect(messages.map(({ outcome, bytesDown }) => [outcome, bytesDown])).toEqual([
      ['answered', 0],
      ['answered', 5],
    ]);
  });

  test('once for each subscription, and never to those who stopped listening', () => {
    const store = observed(createMemoryStore());
    listen('end');
    const request = store.put('a', body);
    request.subscribe();
    request.subscribe();
    stops.splice(0).forEach((stop) => stop());
    request.subscribe();
    expect(messages).toHaveLength(2);
  });

  test('at no cost if nobody listens: no clock is read, no message is created', () => {
    const clock: Clock = {
      now: () => {
        throw new Error('asked for the time');
      },
      after: () => {
        throw new Error('asked for a timer');
      },
      yield: () => {
        throw new Error('asked for a turn');
      },
    };
    const store = observed(createMemoryStore(), { clock, retry: { clock } });
    let answers = 0;
    store.put('a', body).subscribe(() => answers++);
    expect(answers).toBe(1);
    listen('end');
    let error: unknown;
    store.put('a', body).subscribe({ error: (e: unknown) => (error = e) });
    expect(error).toMatchObject({ message: 'asked for the time' });
  });
});

describe('a logger', () => {
  let said: [string, object, string][];
  const noting = (level: string) => (context: object, message: string) => {
    said.push([level, context, message]);
  };
  const logger: Logger = {
    debug: noting('debug'),
    info: noting('info'),
    warn: noting('warn'),
    error: noting('error'),
  };
  beforeEach(() => {
    said = [];
  });

  test.each([true, false])(
    'receives retries, throttling and failures; listeners on channels: %s',
    (listening) => {
      const scheduler = new VirtualTimeScheduler();
      const clock = clockOf(scheduler);
      const retry = { retries: 1, clock, random: () => 1 };
      const memory = (): ObjectStore => createMemoryStore({ uri: 'memory://told', clock });
      const failing = observed(faulty(memory(), { random: () => 0, before: 1 }), { clock, retry, logger });
      const throttling = observed(faulty(memory(), { random: () => 0, throttled: 1 }), {
        clock,
        retry,
        logger,
      });
      if (listening) listenToAll();
      failing.put('a', body).subscribe({ error: () => undefined });
      scheduler.flush();
      throttling.put('b', body).subscribe({ error: () => undefined });
      scheduler.flush();
      const where = { store: 'memory://told', method: 'put' };
      expect(said).toEqual([
        [
          'info',
          { ...where, key: 'a', failed: 1, delay: 100, code: 'Unavailable' },
          'A request failed and is sent again',
        ],
        ['debug', { ...where, key: 'a', code: 'Unavailable' }, 'A request failed'],
        [
          'info',
          { ...where, key: 'b', failed: 1, delay: 1000, code: 'Throttled' },
          'Throttled: the request is sent again later',
        ],
        ['debug', { ...where, key: 'b', code: 'Throttled' }, 'A request failed'],
      ]);
    },
  );

  test('and channels never get a secret, whatever goes wrong', async () => {
    const credentials = {
      accessKeyId: 'TESTKEY',
      secretAccessKey: 'the-secret-key-itself',
      sessionToken: 'the-session-token-itself',
    };
    let n = 0;
    const gateway = await startGateway({
      buckets: { lake: createMemoryStore() },
      credentials,
      faults: () =>
        [
          undefined,
          { failure: { kind: 'reset' as const } },
          { failure: { kind: 'answer' as const, status: 503, code: 'SlowDown' } },
          {
            failure: {
              kind: 'answer' as const,
              status: 400,
              code: 'ExpiredToken',
              message: 'the-session-token-itself',
            },
          },
        ][n++ % 4],
    });
    listenToAll();
    const s3 = {
      endpoint: gateway.endpoint,
      endpointProtocol: 'http' as const,
      region: 'us-east-1',
      retry: { base: 1, throttledBase: 1 },
      lowTimeout: '10h' as const,
      highTimeout: '10h' as const,
    };
    using stores = openStores({ s3: { ...s3, credentials }, logger, clock: fast });
    using wrong = openStores({
      s3: { ...s3, credentials: { ...credentials, secretAccessKey: 'the-wrong-key-itself' } },
      logger,
      clock: fast,
    });
    try {
      for (const place of [
        stores.open('s3://lake/a'),
        wrong.open('s3://lake/a'),
        stores.open(`s3x://TESTKEY:the-secret-key-itself@127.0.0.1:${gateway.port}/lake/a`),
      ]) {
        for (let i = 0; i < 4; i++) await answer(place.store.put('a', body)).catch(() => undefined);
        await failure(place.store.head('missing'));
        await answer(place.capabilities).catch(() => undefined);
      }
    } finally {
      await gateway.close();
    }
    expect(new Set(messages.map(({ channel }) => channel))).toEqual(
      new Set(['start', 'retry', 'error', 'end']),
    );
    expect(said.length).toBeGreaterThan(5);
    const all = inspect([messages, said], {
      depth: Infinity,
      showHidden: true,
      maxArrayLength: null,
      maxStringLength: null,
    });
    expect(all).toContain('lake');
    for (const secret of [
      'key-itself',
      'token-itself',
      'Signature=',
      'authorization',
      'AWS4-HMAC',
      'x-amz-security',
    ]) {
      expect(all.toLowerCase()).not.toContain(secret.toLowerCase());
    }
  });
});
