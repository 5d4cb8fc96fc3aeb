import { CopyObjectCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { concat, forkJoin, Subject, type Observable } from 'rxjs';
import { decorate } from '../../../src/store/decorators/decorate.js';
import {
  startGateway,
  type Fault,
  type FaultRequest,
  type Gateway,
} from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { S3Connection, type S3Context, type S3Options } from '../../../src/store/s3/index.js';
import { resolveOptions } from '../../../src/store/s3/options.js';
import { S3Pool } from '../../../src/store/s3/pool.js';
import { S3Store } from '../../../src/store/s3/store.js';
import { seeded } from '../../../src/testing/store/support.js';
import { fast } from '../fastClock.js';
import { answer, credentials, failure } from '../s3support.js';

const MiB = 1024 * 1024;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

let fault: (request: FaultRequest) => Fault | undefined;
let gateway: Gateway;
let lake: ObjectStore;
/** Where requests of the gateway meet the store. */
let around: <T>(run: Observable<T>) => Observable<T>;
let inside: number;
let most: number;

beforeEach(async () => {
  fault = () => undefined;
  around = (run) => run;
  inside = most = 0;
  lake = createMemoryStore({ minimumPartSize: 1 });
  gateway = await startGateway({
    buckets: { lake: decorate(lake, (_, run) => around(run)) },
    credentials,
    faults: (request) => fault(request),
    observe: ({ phase }) => {
      if (phase === 'started') most = Math.max(most, ++inside);
      if (phase === 'finished' || phase === 'aborted') inside--;
    },
  });
  ends.push(() => gateway.close());
});

function connect(options: S3Options = {}, context: S3Context = {}): S3Connection {
  const connection = new S3Connection(
    {
      endpoint: gateway.endpoint,
      credentials,
      region: 'us-east-1',
      retry: { maxRetries: 0 },
      ...options,
    },
    context,
  );
  ends.push(() => connection.close());
  return connection;
}

function pool(options: S3Options = {}, endpoint = gateway.endpoint): { pool: S3Pool; store: S3Store } {
  const made = new S3Pool(
    resolveOptions({ endpoint, credentials, region: 'us-east-1', ...options }),
    options.maxSockets ?? 4,
  );
  ends.push(() => made.close());
  return { pool: made, store: new S3Store('lake', made) };
}

/** A server that accepts connections and passes them to `onSocket`. */
async function raw(onSocket: (socket: Socket) => void): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

describe('a server that stalls', () => {
  const patient = { connectionTimeout: '20s', requestTimeout: '20s', idleTimeout: '20s' };

  test('while the connection is made, TLS included', async () => {
    const { port } = await raw((socket) => socket.resume());
    const { store } = pool({ ...patient, connectionTimeout: 100 }, `https://127.0.0.1:${port}`);
    expect(await failure(store.head('a'))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/connect within 100 ms/) as string,
    });
  });

  test('that drags out the handshake byte by byte', async () => {
    const { port } = await raw((socket) => {
      // Half of a TLS record, and no end to it.
      socket.write(Buffer.from([22, 3, 3, 0, 200]));
      const drip = setInterval(() => socket.write(Buffer.from([2])), 20);
      socket.on('close', () => clearInterval(drip));
    });
    const { store } = pool({ ...patient, connectionTimeout: 150 }, `https://127.0.0.1:${port}`);
    expect(await failure(store.head('a'))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/connect within 150 ms/) as string,
    });
  });

  test('while the body is sent', async () => {
    const { port } = await raw((socket) => socket.pause());
    const { store } = pool({ ...patient, requestTimeout: 200 }, `http://127.0.0.1:${port}`);
    const sent = store.put('a', Buffer.alloc(32 * MiB));
    expect(await failure(sent)).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/move a byte for 200 ms/) as string,
    });
  });

  test('and is distinguished from a slow one: a large body is sent slice by slice', async () => {
    const { port } = await raw((socket) => socket.pause());
    const { store, pool: made } = pool(patient, `http://127.0.0.1:${port}`);
    const sent = store.put('a', Buffer.alloc(32 * MiB)).subscribe({ error: () => undefined });
    let waiting = 0;
    while (waiting === 0) {
      await new Promise(setImmediate);
      const [socket] = Object.values(made.handler.http.sockets).flatMap((all) => all ?? []);
      // What the system has not taken yet, in one write: no progress shows within it under TLS.
      if (socket?.connecting === false) waiting = socket.writableLength;
    }
    expect(waiting).toBeLessThanOrEqual(MiB);
    sent.unsubscribe();
  });

  test('before the answer', async () => {
    const { port } = await raw((socket) => socket.resume());
    const { store } = pool({ ...patient, requestTimeout: 100 }, `http://127.0.0.1:${port}`);
    expect(await failure(store.put('a', Buffer.from('x')))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/move a byte/) as string,
    });
  });

  test('within the answer’s head', async () => {
    const { port } = await raw((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nETag: "')),
    );
    const { store } = pool({ ...patient, requestTimeout: 100 }, `http://127.0.0.1:${port}`);
    expect(await failure(store.put('a', Buffer.from('x')))).toMatchObject({ code: 'Unavailable' });
  });

  test('within the body, at each attempt', async () => {
    await answer(lake.put('big', Buffer.alloc(MiB)));
    fault = () => ({ failure: { kind: 'stall', at: 1024 } });
    const { store } = pool({ ...patient, idleTimeout: 50, bodyResumes: 1 });
    expect(await failure(store.get('big'))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/body for 50 ms/) as string,
    });
  });
});

describe('a whole request has the timeout of its kind', () => {
  const kinds = (store: ObjectStore): Record<string, Observable<unknown>> => ({
    head: store.head('a'),
    list: store.list({}),
    delete: store.delete(['gone']),
    createUpload: store.createUpload('b'),
    listUploads: store.listUploads({ prefix: '' }),
    get: store.get('a'),
    put: store.put('c', Buffer.from('x')),
    copy: store.copy('a', 'd'),
  });
  const outcome = (request: Observable<unknown>): Promise<string> =>
    answer(request).then(
      () => 'ok',
      (error: unknown) =>
        (error as Error).message.replace(/.*(whole request took longer than \d+ ms|move a byte).*/s, '$1'),
    );
  /** How requests end that the server answers only after `limited` has timed out twice: then all others had the time to. */
  const outcomes = async (limited: string, options: S3Options): Promise<Record<string, string>> => {
    await answer(lake.put('a', Buffer.from('x')));
    const timedOut = new Subject<never>();
    around = (run) => concat(timedOut, run);
    const requests = kinds(connect(options).store('lake'));
    const all = Object.entries(requests).map(async ([name, request]) => [name, await outcome(request)]);
    for (let times = 0; times < 2; times++) await outcome(requests[limited]!);
    timedOut.complete();
    return Object.fromEntries(await Promise.all(all)) as Record<string, string>;
  };

  test('lowTimeout is that of head, list, delete and the like', async () => {
    const late = 'whole request took longer than 100 ms';
    expect(await outcomes('head', { lowTimeout: 100 })).toEqual({
      head: late,
      list: late,
      delete: late,
      createUpload: late,
      listUploads: late,
      get: 'ok',
      put: 'ok',
      copy: 'ok',
    });
  });

  test('even if a minifier renames the classes of commands', async () => {
    for (const command of [GetObjectCommand, PutObjectCommand, CopyObjectCommand]) {
      const name = Object.getOwnPropertyDescriptor(command, 'name');
      ends.push(() => name && Object.defineProperty(command, 'name', name));
      Object.defineProperty(command, 'name', { ...name, value: 'a' });
    }
    expect(await outcomes('head', { lowTimeout: 100 })).toMatchObject({ get: 'ok', put: 'ok', copy: 'ok' });
  });

  test('highTimeout is that of copies and Completes', async () => {
    const late = 'whole request took longer than 100 ms';
    expect(await outcomes('copy', { highTimeout: 100 })).toMatchObject({
      head: 'ok',
      get: 'ok',
      put: 'ok',
      copy: late,
    });
    const store = connect({ highTimeout: 100 }).store('lake');
    const { uploadId } = await answer(store.createUpload('m'));
    const part = await answer(store.uploadPart('m', uploadId, 1, Buffer.from('x')));
    fault = () => ({ failure: { kind: 'stall', at: 'start' } });
    expect(await failure(store.completeUpload('m', uploadId, [part]))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(new RegExp(late)) as string,
    });
  });

  test('within which copies may be silent for longer than requestTimeout, and nothing else may', async () => {
    expect(await outcomes('put', { requestTimeout: 100 })).toEqual({
      ...Object.fromEntries(Object.keys(kinds(lake)).map((name) => [name, 'move a byte'])),
      copy: 'ok',
    });
  });
});

describe('sockets', () => {
  test('are never more than maxSockets, and no request waits for one in the pool', async () => {
    const { pool: made, store } = pool({ maxSockets: 4 });
    let queued = 0;
    fault = () => {
      queued = Math.max(queued, Object.values(made.handler.http.requests).flat().length);
      return { delay: 5 };
    };
    const four = new Subject<never>();
    let arrived = 0;
    around = (run) => {
      if (++arrived === 4) four.complete();
      return concat(four, run);
    };
    await answer(lake.put('big', Buffer.alloc(MiB)));
    await answer(
      forkJoin(
        Array.from({ length: 60 }, (_, i) =>
          i % 2 === 0 ? store.get('big') : store.put(`k${i}`, Buffer.alloc(100_000)),
        ),
      ),
    );
    expect(most).toBe(4);
    expect(queued).toBe(0);
    expect([made.gate.inside, made.gate.waiting]).toEqual([0, 0]);
  });

  test('are shared fairly by the buckets of a connection', async () => {
    await gateway.close();
    const order: string[] = [];
    gateway = await startGateway({
      buckets: { lake, pond: createMemoryStore() },
      credentials,
      observe: ({ phase, bucket }) => {
        if (phase === 'started') order.push(bucket);
      },
    });
    const s3 = connect({ maxSockets: 1 });
    const many = Array.from({ length: 20 }, (_, i) => s3.store('lake').put(`k${i}`, Buffer.from('x')));
    await answer(forkJoin([...many, s3.store('pond').put('one', Buffer.from('x'))]));
    expect(order.indexOf('pond')).toBeLessThanOrEqual(2);
  });
});

describe('unsubscribing ends a request', () => {
  test('that waits for its turn: it is never sent', async () => {
    const { pool: made, store } = pool({ maxSockets: 1 });
    let arrived = (): void => undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const seen: string[] = [];
    fault = ({ key }) => {
      seen.push(key);
      arrived();
      return key === 'first' ? { failure: { kind: 'stall', at: 'start' } } : undefined;
    };
    const first = store.head('first').subscribe({ error: () => undefined });
    await arrival;
    const second = store.head('second').subscribe();
    while (made.gate.waiting === 0) await new Promise(setImmediate);
    second.unsubscribe();
    expect(made.gate.waiting).toBe(0);
    first.unsubscribe();
    expect(await failure(store.head('third'))).toMatchObject({ code: 'NotFound' });
    expect(seen).toEqual(['first', 'third']);
  });

  test('while it connects', async () => {
    let connected = (): void => undefined;
    const connection = new Promise<void>((resolve) => (connected = resolve));
    const { port, sockets } = await raw((socket) => {
      socket.resume();
      connected();
    });
    const { pool: made, store } = pool({}, `https://127.0.0.1:${port}`);
    const subscription = store.head('a').subscribe();
    await connection;
    const closed = once(sockets[0]!, 'close');
    subscription.unsubscribe();
    await closed;
    while (made.gate.inside > 0) await new Promise(setImmediate);
  });

  test('while it sends', async () => {
    let connected = (): void => undefined;
    const connection = new Promise<void>((resolve) => (connected = resolve));
    const { port, sockets } = await raw((socket) =>
      socket.once('data', () => {
        socket.pause();
        connected();
      }),
    );
    const { pool: made, store } = pool({}, `http://127.0.0.1:${port}`);
    const subscription = store.put('a', Buffer.alloc(32 * MiB)).subscribe();
    await connection;
    const closed = once(sockets[0]!, 'close');
    subscription.unsubscribe();
    sockets[0]?.resume();
    await closed;
    expect(sockets[0]?.bytesRead).toBeLessThan(32 * MiB);
    while (made.gate.inside > 0) await new Promise(setImmediate);
  });

  test('while it waits to retry; close() does the same, with an error that says so', async () => {
    fault = () => ({ failure: { kind: 'answer', status: 503, code: 'SlowDown' } });
    let waits = (): void => undefined;
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, warn: () => waits(), error: quiet };
    const s3 = connect({ retry: { throttledBase: '1h', cap: '1h' } }, { logger, random: () => 1 });
    const waited = new Promise<void>((resolve) => (waits = resolve));
    const waiting = failure(s3.store('lake').head('a'));
    await waited;
    await new Promise(setImmediate);
    s3.close();
    expect(await waiting).toMatchObject({
      code: 'InvalidRequest',
      message: 'head on s3://lake: the S3 connection is closed.',
    });
  });
});

describe('stores of a connection retry', () => {
  const quick: S3Options = { retry: { base: 1, throttledBase: 1 } };

  test('requests whose connection a server closed, corrupted or lost', async () => {
    const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i & 0xff));
    const store = connect(quick).store('lake');
    const faults: Fault[] = [
      { failure: { kind: 'reset' } },
      { failure: { kind: 'answer', status: 500, code: 'InternalError' } },
      { failure: { kind: 'lose-answer' } },
    ];
    fault = () => faults.shift();
    await answer(store.put('a', body));
    faults.push(
      { failure: { kind: 'reset' } },
      { failure: { kind: 'length', by: -7 } },
      { failure: { kind: 'length', by: 7 } },
    );
    expect(
      Buffer.concat((await answer(store.get('a', { range: { start: 0, end: 100_000 } }))).chunks).equals(
        body,
      ),
    ).toBe(true);
    expect(faults).toEqual([]);
  });

  test('a long upload, exact under one in a hundred requests going wrong', async () => {
    const random = seeded(5);
    const kinds: Fault[] = [
      { failure: { kind: 'reset' } },
      { failure: { kind: 'answer', status: 503, code: 'SlowDown' } },
      { failure: { kind: 'answer', status: 500, code: 'InternalError' } },
      { failure: { kind: 'lose-answer' } },
      { failure: { kind: 'answer-after', status: 500, code: 'InternalError' } },
      { failure: { kind: 'stall', at: 'answer' } },
    ];
    let broken = 0;
    fault = ({ operation }) => {
      // The caller of a Complete has to find out whether it took effect.
      if (operation === 'CompleteMultipartUpload' || random() > 0.01) return undefined;
      return kinds[broken++ % kinds.length];
    };
    const store = connect(
      // On this clock, hours are minutes. What is only slow is repeated, too.
      {
        retry: { ...quick.retry, maxRetries: 1000 },
        requestTimeout: 2000,
        lowTimeout: '10h',
        highTimeout: '10h',
        maxSockets: 8,
      },
      { clock: fast },
    ).store('lake');
    const pieces = Array.from({ length: 600 }, (_, i) => Buffer.alloc(1000 + i, i & 0xff));
    const { uploadId } = await answer(store.createUpload('long'));
    const parts = await answer(
      forkJoin(pieces.map((piece, i) => store.uploadPart('long', uploadId, i + 1, piece))),
    );
    await answer(store.completeUpload('long', uploadId, parts));
    expect(broken).toBeGreaterThan(3);
    expect(Buffer.concat((await answer(store.get('long'))).chunks).equals(Buffer.concat(pieces))).toBe(true);
  });
});
