import { Observable, of, retry, throwError } from 'rxjs';
import {
  startGateway,
  type Fault,
  type Gateway,
  type GatewayEvent,
} from '../../../src/store/gateway/index.js';
import { isStoreError } from '../../../src/store/errors.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import { resolveOptions } from '../../../src/store/s3/options.js';
import { S3Pool } from '../../../src/store/s3/pool.js';
import { S3Store } from '../../../src/store/s3/store.js';
import { answer, credentials, failure } from '../s3support.js';

const MiB = 1024 * 1024;
const body = Buffer.from(Array.from({ length: 3 * MiB }, (_, i) => (i * 31 + (i >> 8)) & 0xff));

let lake: ObjectStore;
let gateway: Gateway;
let s3: S3Connection;
let store: ObjectStore;
let events: GatewayEvent[];
let fault: (operation: string, attempt: number) => Fault | undefined;

async function start(options: S3Options = {}): Promise<void> {
  lake = createMemoryStore();
  events = [];
  fault = () => undefined;
  gateway = await startGateway({
    buckets: { lake },
    credentials,
    faults: ({ operation, attempt }) => fault(operation, attempt),
    observe: (event) => {
      events.push(event);
    },
  });
  s3 = new S3Connection({
    endpoint: gateway.endpoint,
    credentials,
    retry: { maxRetries: 0 },
    ...options,
  });
  store = s3.store('lake');
}

/** Restarts, with these options. */
async function restart(options: S3Options): Promise<void> {
  s3.close();
  await gateway.close();
  await start(options);
}

beforeEach(() => start());
afterEach(async () => {
  s3.close();
  await gateway.close();
});

/** Requests that reached the gateway. */
const requests = (operation: string): number =>
  events.filter((event) => event.phase === 'started' && event.operation === operation).length;

async function read(of = store): Promise<Buffer> {
  return Buffer.concat((await answer(of.get('big'))).chunks);
}

describe('a read whose body breaks off is continued where it stopped', () => {
  beforeEach(() => answer(lake.put('big', body)));

  test('when it stalls', async () => {
    await restart({ idleTimeout: 500, bodyResumes: 1000 });
    await answer(lake.put('big', body));
    fault = (_, attempt) => (attempt === 1 ? { failure: { kind: 'stall', at: MiB } } : undefined);
    expect((await read()).equals(body)).toBe(true);
    expect(requests('GetObject')).toBeGreaterThan(1);
  });

  test('when the connection is cut, again and again', async () => {
    fault = () => (requests('GetObject') < 4 ? { failure: { kind: 'cut', at: MiB / 2 } } : undefined);
    expect((await read()).equals(body)).toBe(true);
    expect(requests('GetObject')).toBe(5);
  });

  test('but a limited number of times', async () => {
    fault = () => ({ failure: { kind: 'cut', at: 1024 } });
    expect(await failure(store.get('big'))).toMatchObject({ code: 'Unavailable', retryable: true });
    expect(requests('GetObject')).toBe(6);
  });

  test('and never with the bytes of another version', async () => {
    const replacedMeanwhile = (): void => {
      let asked = 0;
      fault = () => {
        if (++asked === 1) return { failure: { kind: 'cut', at: MiB } };
        lake.put('big', Buffer.from('another')).subscribe();
        return undefined;
      };
    };
    replacedMeanwhile();
    expect(await failure(store.get('big'))).toMatchObject({ code: 'Integrity', retryable: true });
    const { etag } = await answer(lake.put('big', body));
    replacedMeanwhile();
    expect(await failure(store.get('big', { ifMatch: etag }))).toMatchObject({ code: 'PreconditionFailed' });
  });

  test('in the memory passed to it', async () => {
    fault = () => (requests('GetObject') < 4 ? { failure: { kind: 'cut', at: 40_000 } } : undefined);
    const into = Buffer.alloc(150_000, '.');
    const { chunks } = await answer(store.get('big', { range: { start: 1000, end: 141_000 }, into }));
    expect(requests('GetObject')).toBeGreaterThan(2);
    expect(chunks.map(({ buffer, length }) => [buffer === into.buffer, length])).toEqual([[true, 140_000]]);
    expect(into.subarray(0, 140_000).equals(body.subarray(1000, 141_000))).toBe(true);
    expect(into.subarray(140_000).equals(Buffer.alloc(10_000, '.'))).toBe(true);
  });

  test('within the range of a ranged read', async () => {
    fault = (_, attempt) =>
      attempt === 1 && requests('GetObject') === 0 ? { failure: { kind: 'cut', at: 40_000 } } : undefined;
    const { chunks, info } = await answer(store.get('big', { range: { start: 1000, end: 101_000 } }));
    expect(Buffer.concat(chunks).equals(body.subarray(1000, 101_000))).toBe(true);
    expect(info.size).toBe(body.length);
  });
});

describe('a read returns what was promised, or an error', () => {
  beforeEach(() => answer(lake.put('big', body)));

  test('a ranged answer that is short is Integrity', async () => {
    fault = () => ({ failure: { kind: 'length', by: -10 } });
    const error = await failure(store.get('big', { range: { start: 0, end: 5000 } }));
    expect(error).toMatchObject({ code: 'Integrity', retryable: true });
  });

  test('an answer that promises more than exists is Integrity', async () => {
    fault = (_, attempt) => (attempt === 1 ? { failure: { kind: 'length', by: 10 } } : undefined);
    expect(await failure(store.get('big'))).toMatchObject({ code: 'Integrity', retryable: true });
  });
});

describe('a failing server', () => {
  test('that does not answer is Unavailable after the timeout', async () => {
    await restart({ requestTimeout: 400 });
    fault = () => ({ failure: { kind: 'stall', at: 'start' } });
    expect(await failure(store.head('a'))).toMatchObject({ code: 'Unavailable', retryable: true });
    expect(await failure(store.put('a', Buffer.from('x')))).toMatchObject({ code: 'Unavailable' });
  });

  test('that resets the connection is Unavailable, before the effect and after it', async () => {
    fault = () => ({ failure: { kind: 'reset' } });
    expect(await failure(store.put('a', Buffer.from('x')))).toMatchObject({ code: 'Unavailable' });
    expect(await failure(lake.head('a'))).toMatchObject({ code: 'NotFound' });
    fault = () => ({ failure: { kind: 'lose-answer' } });
    expect(await failure(store.put('a', Buffer.from('x')))).toMatchObject({ code: 'Unavailable' });
    expect((await answer(lake.head('a'))).size).toBe(1);
  });

  test('that is not running is Unavailable', async () => {
    await gateway.close();
    expect(await failure(store.head('a'))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/ECONNREFUSED|ECONNRESET/) as string,
    });
  });

  test('a failed Complete of an upload that is gone is NotFound; of one that is there, Unavailable', async () => {
    const { uploadId } = await answer(store.createUpload('a'));
    const part = await answer(store.uploadPart('a', uploadId, 1, Buffer.from('x')));
    const complete = store.completeUpload('a', uploadId, [part]);
    fault = (operation) =>
      operation === 'CompleteMultipartUpload'
        ? { failure: { kind: 'answer', status: 500, code: 'UnknownError', message: '' } }
        : undefined;
    expect(await failure(complete)).toMatchObject({ code: 'Unavailable', status: 500 });
    fault = () => undefined;
    await answer(complete);
    fault = (operation) =>
      operation === 'CompleteMultipartUpload'
        ? { failure: { kind: 'answer', status: 500, code: 'UnknownError', message: '' } }
        : undefined;
    expect(await failure(complete)).toMatchObject({ code: 'NotFound', serverCode: 'NoSuchUpload' });
  });

  test('that ignores the condition on a part copy is detected', async () => {
    const careless = new Proxy(lake, {
      get: (target, name: keyof ObjectStore) =>
        name === 'copyPart'
          ? (...[key, id, number, from]: Parameters<ObjectStore['copyPart']>) =>
              target.copyPart(key, id, number, { key: from.key, range: { start: 0, end: 3 } })
          : (target[name] as (...args: unknown[]) => unknown).bind(target),
    });
    await using other = await startGateway({ buckets: { lake: careless }, credentials });
    using connection = new S3Connection({ endpoint: other.endpoint, credentials });
    const through = connection.store('lake');
    const { etag } = await answer(through.put('source', Buffer.from('12345')));
    const { uploadId } = await answer(through.createUpload('a'));
    const copy = (ifMatch: string): Observable<unknown> =>
      through.copyPart('a', uploadId, 1, { key: 'source', range: { start: 0, end: 3 }, ifMatch });
    expect(await failure(copy('other'))).toMatchObject({ code: 'PreconditionFailed' });
    expect(await answer(copy(etag))).toMatchObject({ size: 3 });
  });
});

describe('unsubscribing', () => {
  test.each(['start', 'answer', 1000] as const)(
    'aborts the request and closes its socket (stalled at %s)',
    async (at) => {
      await answer(lake.put('big', body));
      const stalled = gate();
      const aborted = gate();
      await gateway.close();
      gateway = await startGateway({
        buckets: { lake },
        credentials,
        faults: () => {
          stalled.open();
          return { failure: { kind: 'stall', at } };
        },
        observe: ({ phase }) => {
          if (phase === 'aborted') aborted.open();
        },
      });
      const patient = new S3Connection({ endpoint: gateway.endpoint, credentials });
      const seen: unknown[] = [];
      const subscription = patient
        .store('lake')
        .get('big')
        .subscribe({ next: (v) => seen.push(v), error: (e: unknown) => seen.push(e) });
      await stalled.opened;
      subscription.unsubscribe();
      await aborted.opened;
      expect(seen).toEqual([]);
      patient.close();
    },
  );

  test('cancels what the store behind the gateway does', async () => {
    const asked = gate();
    const cancelled = gate();
    const never = {
      ...createMemoryStore(),
      get: () =>
        new Observable<never>(() => {
          asked.open();
          return () => cancelled.open();
        }),
    } as unknown as ObjectStore;
    await gateway.close();
    gateway = await startGateway({ buckets: { lake: never }, credentials });
    const patient = new S3Connection({ endpoint: gateway.endpoint, credentials });
    const subscription = patient.store('lake').get('x').subscribe();
    await asked.opened;
    subscription.unsubscribe();
    await cancelled.opened;
    patient.close();
  });

  test('after the answer keeps the connection in use', async () => {
    await answer(lake.put('a', Buffer.from('x')));
    for (let i = 0; i < 5; i++) {
      await new Promise<void>((resolve) => {
        const subscription = store.get('a').subscribe(() => {
          setImmediate(() => subscription.unsubscribe());
          resolve();
        });
      });
    }
    expect(events.filter(({ phase }) => phase === 'aborted')).toEqual([]);
  });
});

describe('sockets', () => {
  test('are all free again after answers, errors and aborts of every kind', async () => {
    await answer(lake.put('big', body));
    const pool = new S3Pool(
      resolveOptions({
        endpoint: gateway.endpoint,
        credentials,
        region: 'us-east-1',
        idleTimeout: 700,
        requestTimeout: 700,
      }),
      4,
    );
    const pooled = new S3Store('lake', pool);
    let n = 0;
    fault = () =>
      [
        undefined,
        { failure: { kind: 'reset' } },
        { failure: { kind: 'answer', status: 503, code: 'SlowDown' } },
        { failure: { kind: 'stall', at: 'start' } },
        { failure: { kind: 'cut', at: 70_000 } },
        { failure: { kind: 'lose-answer' } },
      ][n++ % 6] as Fault | undefined;
    const all = Array.from({ length: 24 }, (_, i): Observable<unknown> =>
      i % 3 === 0 ? pooled.get('big') : i % 3 === 1 ? pooled.put(`k${i}`, body) : pooled.list({}),
    );
    await Promise.allSettled(all.map((one) => answer(one)));
    for (const one of all.slice(0, 8)) one.subscribe({ error: () => undefined }).unsubscribe();
    fault = () => undefined;
    // On a busy machine a healthy read may be silent for longer than the timeout, too. Without a free socket every read fails.
    const { chunks } = await answer(
      pooled.get('big').pipe(
        retry({
          count: 100,
          delay: (error: unknown) => (isStoreError(error, 'Unavailable') ? of(0) : throwError(() => error)),
        }),
      ),
    );
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
    expect(pool.underWay).toBe(0);
    expect(Object.values(pool.handler.http.sockets).flat()).toHaveLength(0);
    expect(Object.values(pool.handler.http.requests).flat()).toHaveLength(0);
    pool.close();
    expect(
      Object.values(pool.handler.http.freeSockets)
        .flat()
        .filter((socket) => socket?.destroyed === false),
    ).toHaveLength(0);
  });

  test('closed by the server while idle do not fail a read', async () => {
    const reset: Fault = { failure: { kind: 'reset' } };
    let resets = 0;
    const resetNext = (count: number): void => {
      resets = count;
      fault = () => (resets-- > 0 ? reset : undefined);
    };
    await answer(lake.put('big', body));
    await Promise.all([answer(store.head('big')), answer(store.head('big')), answer(store.head('big'))]);
    resetNext(3);
    expect((await read()).equals(body)).toBe(true);
    resetNext(1);
    expect(await failure(store.put('big', body))).toMatchObject({ code: 'Unavailable' });
    resetNext(1);
    expect(await failure(store.head('big'))).toMatchObject({ code: 'Unavailable' });
  });

  test('of reserved stores are never starved by the others', async () => {
    s3.close();
    s3 = new S3Connection({ endpoint: gateway.endpoint, credentials, maxSockets: 2 });
    fault = (operation) =>
      operation === 'UploadPart' ? { failure: { kind: 'stall', at: 'start' } } : undefined;
    const busy = Array.from({ length: 6 }, (_, i) =>
      s3
        .store('lake')
        .uploadPart('x', 'id', i + 1, body)
        .subscribe(),
    );
    const { etag } = await answer(
      s3.reserved('lake').put('manifest', Buffer.from('{}'), { ifNoneMatch: '*' }),
    );
    expect(etag).not.toBe('');
    for (const one of busy) one.unsubscribe();
  });

  test('close() ends requests in flight, and later requests say why', async () => {
    fault = () => ({ failure: { kind: 'stall', at: 'start' } });
    const under = failure(store.head('a'));
    s3.close();
    expect(await under).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringMatching(/closed/) as string,
    });
    expect(await failure(store.head('a'))).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringMatching(/closed/) as string,
    });
  });
});

function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}
