import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { inspect } from 'node:util';
import type { AddressInfo } from 'node:net';
import { httpSink, type HttpSinkOptions } from '../../../src/sinks/http/httpSink.js';
import { MillraceError } from '../../../src/errors.js';
import { PublishFailed } from '../../../src/sinks/outbox/errors.js';
import { Run, World, type Line } from '../harness.js';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A service that takes each key once. */
class Service {
  readonly rows: unknown[] = [];
  readonly requests: { readonly headers: IncomingMessage['headers']; readonly body: string }[] = [];
  /** What happens instead, to the next requests. */
  readonly next: Answer[] = [];
  readonly #keys = new Set<unknown>();
  readonly #server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      this.requests.push({ headers: request.headers, body });
      const answer = this.next.shift();
      if (answer !== undefined) answer(request, response, body);
      else {
        this.take(request, body);
        response.end('taken');
      }
    });
  });

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  take({ headers }: IncomingMessage, body: string): void {
    const key = headers['idempotency-key'];
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    const lines = body.startsWith('[')
      ? (JSON.parse(body) as unknown[])
      : body
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown);
    this.rows.push(...lines);
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/rows?secret=1`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(code, headers).end('why');
  };

describe('batches for a service', () => {
  let service: Service;
  let url: string;
  beforeEach(async () => {
    service = new Service();
    url = await service.open();
  });
  afterEach(() => service.close());

  const start = (world: World, options: HttpSinkOptions<Line> = {}): Run =>
    new Run(world, {
      auto: false,
      operator: httpSink<Line>('out', url, {
        maxBatch: { records: 2 },
        retry: { tries: 50, initial: 1000, max: '10m' },
        timeout: '1d',
        ...options,
      }),
    });
  /** Lets the service answer until `done`; waits for retries pass quickly. */
  const until = async (world: World, done: () => boolean): Promise<void> => {
    while (!done()) {
      await new Promise((resolve) => setImmediate(resolve));
      world.clock.advance(1000);
    }
  };
  const published = async (world: World, run: Run): Promise<void> => {
    run.barrier();
    run.durable();
    await until(world, () => run.pending.length === 0 || run.error !== undefined);
  };

  test.each(['ndjson', 'json'] as const)('are sent in order as %s, each with its key', async (format) => {
    const world = new World();
    const run = start(world, { format, headers: { authorization: 'Bearer x' } });
    for (const n of [1, 2, 3]) run.record({ n, big: 9007199254740993n });
    await published(world, run);
    expect(run.error).toBeUndefined();
    expect(service.rows).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(service.requests[0]!.body).toContain('9007199254740993');
    const origin = String(service.requests[0]!.headers['millrace-origin']);
    expect(
      service.requests.map(({ headers }) => [
        headers['idempotency-key'],
        ...['job', 'sink', 'checkpoint', 'sequence', 'epoch'].map((name) => headers[`millrace-${name}`]),
        headers.authorization,
      ]),
    ).toEqual([
      [`${world.jobId}-out-1-0-${origin}`, world.jobId, 'out', '1', '0', '1', 'Bearer x'],
      [`${world.jobId}-out-1-1-${origin}`, world.jobId, 'out', '1', '1', '1', 'Bearer x'],
    ]);
    run.stop();
  });

  test('are sent again with the same key if the answer is lost, before or after the service took them', async () => {
    const world = new World();
    const run = start(world);
    service.next.push(
      (request) => request.socket.destroy(),
      (request, _, body) => {
        service.take(request, body);
        request.socket.destroy();
      },
      ...[408, 409, 425, 429, 500, 503].map((code) => status(code)),
    );
    for (const n of [1, 2, 3]) run.record({ n });
    await published(world, run);
    expect(run.error).toBeUndefined();
    expect(service.rows).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(new Set(service.requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
    run.stop();
  });

  test('are sent again by the next attempt with the same key', async () => {
    const world = new World();
    const first = start(world);
    service.next.push((request, _, body) => {
      service.take(request, body);
      first.stop();
    });
    for (const n of [1, 2, 3]) first.record({ n });
    first.barrier();
    first.durable();
    await until(world, () => service.requests.length === 1);
    const second = start(world);
    await until(world, () => second.pending.length === 0);
    expect(service.rows).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(service.requests[1]!.headers['millrace-epoch']).toBe('2');
    second.stop();
  });

  test.each([
    ['120', 120],
    ['Fri, 02 Jan 2026 00:02:00 GMT', 120],
  ])('are sent no earlier than the service asks for: Retry-After: %s', async (after, seconds) => {
    const world = new World();
    const run = start(world);
    service.next.push(status(503, { 'retry-after': after, date: 'Fri, 02 Jan 2026 00:00:00 GMT' }));
    run.record({ n: 1 });
    run.barrier();
    run.durable();
    const from = world.clock.now();
    while (!run.events.some(({ type }) => type === 'publish-retried'))
      await new Promise((resolve) => setImmediate(resolve));
    await until(world, () => service.requests.length === 2);
    expect(world.clock.now() - from).toBeGreaterThanOrEqual(seconds * 1000);
    await until(world, () => run.pending.length === 0);
    run.stop();
  });

  test.each([400, 413, 422])(
    'that the service refuses with %s are poison, and go to the dead letters as they were',
    async (code) => {
      const world = new World();
      const run = start(world, { onPoison: { deadLetter: 'memory://lake/rejects' } });
      service.next.push(status(code));
      for (const n of [1, 2, 3]) run.record({ n });
      run.barrier();
      run.durable();
      await until(world, () => run.pending.some(({ poison }) => poison !== undefined));
      run.settle();
      await until(world, () => run.pending.length === 0 || run.error !== undefined);
      expect(run.error).toBeUndefined();
      expect(service.rows).toEqual([{ n: 3 }]);
      expect(world.content(world.keys('rejects')[0]!)).toMatch(/\n\{"n":1\}\n\{"n":2\}\n$/);
      run.stop();
    },
  );

  test.each([401, 404, 415, 431, 451, 302])(
    'are not sent any more after a status %s, whose error has no secret',
    async (code) => {
      const world = new World();
      const run = start(world, { headers: { authorization: 'Bearer secret' } });
      service.next.push(status(code, { location: 'http://127.0.0.1:1/' }));
      run.record({ n: 1 });
      await published(world, run);
      expect(run.error).toMatchObject({ code: 'HttpRefused', retryable: false });
      expect(String(run.error)).toContain('/rows answered');
      expect(String(run.error)).not.toContain('secret');
      expect(service.requests).toHaveLength(1);
    },
  );

  test('have the headers of the user in place of those of the sink, whatever their case, except those that name the batch', async () => {
    const world = new World();
    const run = start(world, {
      headers: () => ({
        'Content-Type': 'application/x-mine',
        'Idempotency-Key': 'x',
        'MILLRACE-Epoch': '9',
      }),
    });
    run.record({ n: 1 });
    await published(world, run);
    expect(run.error).toBeUndefined();
    expect(service.requests[0]!.headers).toMatchObject({
      'content-type': 'application/x-mine',
      'idempotency-key': expect.stringMatching(new RegExp(`^${world.jobId}-out-1-0-[a-z0-9]+$`)) as string,
      'millrace-epoch': '1',
    });
    run.stop();
  });

  test.each([
    [{ authorization: 'Bearer\nsecret', b: 'x' }, 'The header authorization has no valid value'],
    [{ authorization: 'secret \u20ac' }, 'The header authorization has no valid value'],
    [{ authorization: undefined }, 'The header authorization has no valid value'],
    [{ 'authorization: secret': 'x' }, 'A header has no valid name'],
    [
      () => {
        throw new Error('secret');
      },
      '`headers` failed',
    ],
    [null, '`headers` is a value of type Null'],
    ['Bearer secret', '`headers` is a value of type String'],
  ])('are not sent with headers that cannot be sent: %#; the error has no secret', async (headers, what) => {
    const world = new World();
    const run = start(world, { headers: headers as never });
    run.record({ n: 1 });
    await published(world, run);
    expect(run.error).toMatchObject({ code: 'HttpRefused', retryable: false });
    expect(String(run.error)).toContain(what);
    expect(inspect(run.error, { depth: 9 })).not.toMatch(/'secret|Bearer|secret \u20ac/);
    expect((run.error as Error).cause).toBeUndefined();
    expect(service.requests).toHaveLength(0);
  });

  test('are not sent if the function of headers is asynchronous', async () => {
    const world = new World();
    const run = start(world, { headers: (() => Promise.resolve({ authorization: 'x' })) as never });
    run.record({ n: 1 });
    await published(world, run);
    expect(run.error).toMatchObject({ code: 'PromiseInFlow', retryable: false });
    expect(service.requests).toHaveLength(0);
  });

  test('are tried again if the function of headers asks for it', async () => {
    const world = new World();
    let tried = 0;
    const run = start(world, {
      headers: () => {
        if (tried++ === 0) throw new PublishFailed('The token is not here yet.');
        return {};
      },
    });
    run.record({ n: 1 });
    await published(world, run);
    expect(service.rows).toEqual([{ n: 1 }]);
    run.stop();
  });

  test.each([
    ['does not end', false, (response: ServerResponse) => response.write('x')],
    [
      'is longer than anyone reads',
      true,
      (response: ServerResponse) => {
        const more = (): void => {
          while (response.write(Buffer.alloc(65_536)));
        };
        response.on('drain', more);
        more();
      },
    ],
  ])('are there by the status, also if the answer %s', async (_, isLong, write) => {
    const world = new World();
    const run = start(world);
    let closed = false;
    service.next.push((request, response, body) => {
      service.take(request, body);
      request.socket.on('close', () => (closed = true));
      response.writeHead(200);
      write(response);
    });
    run.record({ n: 1 });
    run.barrier();
    run.durable();
    // A second of the job's clock, not of this test.
    const from = world.clock.now();
    while (run.pending.length > 0 || !closed) {
      await new Promise((resolve) => setImmediate(resolve));
      world.clock.advance(1);
    }
    if (!isLong) expect(world.clock.now() - from).toBeGreaterThanOrEqual(1000);
    expect(run.error).toBeUndefined();
    expect(service.requests).toHaveLength(1);
    run.stop();
  });

  const refused = async (answer: string, options: HttpSinkOptions<Line>): Promise<string> => {
    const run = start(new World(), options);
    service.next.push((_, response) => response.writeHead(422).end(answer));
    run.record({ n: 1 });
    run.barrier();
    run.durable();
    while (run.error === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(run.error).toMatchObject({ code: 'PoisonBatch' });
    return (run.error as Error).message;
  };

  test('have errors with the status and how the answer begins, in one line', async () => {
    expect(await refused('', {})).toContain('/rows refuses a batch with status 422. Fix');
    expect(await refused('\u0007{"error":\n\t"n is \u001b[31mtoo small"}\0', {})).toContain(
      'with status 422: "{"error": "n is [31mtoo small"}". Fix',
    );
    const long = await refused('é'.repeat(100_000), {});
    expect(long).toContain(`"${'é'.repeat(300)}…"`);
    expect(long.length).toBeLessThan(700);
  });

  test('have errors without the secrets that an answer repeats', async () => {
    const basic = Buffer.from('me:pass word').toString('base64');
    const answer = `no ${basic} me:pass word Bearer t0ken, t0ken; /rows?secret=1 c00kie-b`;
    const headers = { authorization: 'Bearer t0ken', 'x-key': `Basic ${basic}`, cookie: 'a=1; b=c00kie-b' };
    const message = await refused(answer, { headers });
    expect(message).toContain('422: "no … … …, …; /rows?… …"');
    const quoted = JSON.stringify({ got: 'pass"word\\1 and pass"word\\1' });
    const inJson = await refused(quoted, { headers: { 'x-key': 'k pass"word\\1' } });
    expect(inJson).toContain('422: "{"got":"… and …"}"');
  });

  test.each([
    ['has', 1, 0],
    ['has not', 0, 1],
  ])(
    'are asked for by their key after they were refused: the service %s the batch',
    async (has, rows, letters) => {
      const world = new World();
      const asked: string[] = [];
      const run = start(world, {
        onPoison: { deadLetter: 'memory://lake/rejects' },
        published: (key, mark) => {
          asked.push(`${key} ${mark.checkpoint}`);
          // The first answer is no answer.
          if (asked.length === 1) throw new PublishFailed('no answer');
          return Promise.resolve(service.has(key));
        },
      });
      service.next.push((request, _, body) => {
        if (has === 'has') service.take(request, body);
        request.socket.destroy();
      }, status(422));
      run.record({ n: 1 });
      run.barrier();
      run.durable();
      await until(world, () => run.pending.some(({ poison }) => poison !== undefined));
      run.settle();
      await until(
        world,
        () => world.keys('rejects').length > 0 || run.pending.every(({ done }) => done !== undefined),
      );
      run.settle();
      await until(world, () => run.pending.length === 0 || run.error !== undefined);
      expect(run.error).toBeUndefined();
      const key = String(service.requests[0]!.headers['idempotency-key']);
      expect(asked).toEqual([`${key} 1`, `${key} 1`]);
      expect([service.rows.length, world.keys('rejects').length]).toEqual([rows, letters]);
      run.stop();
    },
  );

  test('are aborted when the attempt ends', async () => {
    const world = new World();
    const run = start(world);
    let closed = false;
    service.next.push((request) => request.socket.on('close', () => (closed = true)));
    run.record({ n: 1 });
    run.barrier();
    run.durable();
    await until(world, () => service.requests.length === 1);
    run.stop();
    while (!closed) await new Promise((resolve) => setImmediate(resolve));
  });

  test('have no record without a JSON form', () => {
    const run = start(new World());
    run.record(new Map([['a', 1]]));
    expect(run.error).toMatchObject({ code: 'UnsupportedRecord' });
  });
});

test.each([
  ['ftp://host/', {}, 'url'],
  ['https://user:secret@host/', {}, 'url'],
  ['nowhere', {}, 'url'],
  ['http://host/', { format: 'xml' }, 'format'],
  ['http://host/', { method: 'GET' }, 'method'],
  ['http://host/', { fetch: 1 }, 'fetch'],
  ['http://host/', { serializer: {} }, 'serializer'],
  ['http://host/', { retry: { tries: 0 } }, 'retry.tries'],
])('%s with %j is refused for %s', (url, options, name) => {
  expect(() => httpSink('out', url, options as never)).toThrow(name);
  expect(() => httpSink('out', url, options as never)).toThrow(MillraceError);
});
