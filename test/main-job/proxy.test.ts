import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Aim, type Kind, type Layout, type Moment } from '../../examples/main-job/aim.js';
import { Pace } from '../../examples/main-job/pace.js';
import { startProxy, type Proxy } from '../../examples/main-job/proxy.js';

const layout: Layout = { bucket: 'lake', input: 'raw/', output: 'out/', checkpoints: 'ck/' };
const manifest = '/lake/ck/clicks/log/00000000000000000001';
const part = '/lake/out/a?partNumber=1&uploadId=u';

interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly body: string;
  readonly whole: boolean;
}

describe('the proxy', () => {
  let server: Server;
  let proxy: Proxy;
  let aim: Aim;
  let status: number;
  const arrived: Arrived[] = [];
  const commits: string[] = [];
  const strikes: [Kind, Moment][] = [];
  /** Stands for the job while it is killed: tests drop their request here. */
  let kill: () => void;

  beforeEach(async () => {
    arrived.length = commits.length = strikes.length = 0;
    status = 200;
    kill = () => undefined;
    server = createServer((incoming, response) => {
      let body = '';
      const note = (whole: boolean): void => {
        const { method = '', url = '', headers } = incoming;
        arrived.push({ method, url, host: headers.host ?? '', body, whole });
      };
      incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
      incoming.on('error', () => note(false));
      incoming.on('end', () => {
        note(true);
        response.writeHead(status, { etag: '"e"' }).end('answer');
      });
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    aim = new Aim();
    proxy = await startProxy({
      upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      layout,
      aim,
      pace: new Pace({ objects: new Map(), kills: 0, seconds: 1 }),
      committed: (entry) => commits.push(entry.toString()),
      strike: (kind, moment) => {
        strikes.push([kind, moment]);
        aim.strike(kind, moment);
        kill();
        return Promise.resolve(true);
      },
    });
  });

  afterEach(async () => {
    await proxy.close();
    await new Promise((closed) => {
      server.close(closed);
      server.closeAllConnections();
    });
  });

  /** Sends a request as the job would; `dropped` if the connection went without an answer. */
  function send(
    method: string,
    path: string,
    body = '',
  ): Promise<{ status: number; body: string } | 'dropped'> {
    return new Promise((resolve) => {
      const headers = { host: 'signed.example:1', 'content-length': Buffer.byteLength(body) };
      const outgoing = request(`${proxy.endpoint}${path}`, { method, headers, agent: false });
      outgoing.on('error', () => resolve('dropped'));
      outgoing.on('response', (answer: IncomingMessage) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }));
      });
      outgoing.end(body);
    });
  }

  it('passes requests and answers unchanged, the signed host included', async () => {
    expect(await send('PUT', '/lake/other?x=%2F', 'body')).toEqual({ status: 200, body: 'answer' });
    expect(arrived).toEqual([
      { method: 'PUT', url: '/lake/other?x=%2F', host: 'signed.example:1', body: 'body', whole: true },
    ]);
  });

  it('reports entries that the store has accepted, and no others', async () => {
    await send('PUT', manifest, 'one');
    status = 412;
    await send('PUT', manifest, 'two');
    expect(commits).toEqual(['one']);
  });

  it('keeps a struck request from the store, and never answers it', async () => {
    aim.progressed();
    expect(await send('PUT', manifest, 'one')).toBe('dropped');
    expect(strikes).toEqual([['manifest', 'before']]);
    expect(arrived).toEqual([]);
    expect(await send('PUT', manifest, 'one')).toMatchObject({ status: 200 });
  });

  it('sends half of a struck part', async () => {
    aim.progressed();
    const body = 'x'.repeat(1 << 20);
    expect(await send('PUT', part, body)).toBe('dropped');
    while (arrived.length === 0) await new Promise((tick) => setImmediate(tick));
    expect(arrived[0]).toMatchObject({ url: part, whole: false });
    expect(arrived[0]!.body.length).toBeGreaterThan(0);
    expect(arrived[0]!.body.length).toBeLessThanOrEqual(body.length / 2);
  });

  it('strikes after the effect the second time, with the answer lost', async () => {
    for (const kind of ['manifest', 'part', 'journal', 'complete'] as const) aim.strike(kind, 'before');
    aim.progressed();
    expect(await send('PUT', manifest, 'one')).toBe('dropped');
    expect(strikes).toEqual([['manifest', 'after']]);
    expect(arrived).toMatchObject([{ body: 'one', whole: true }]);
    expect(commits).toEqual(['one']);
  });

  it('does not strike after a request without effect', async () => {
    for (const kind of ['manifest', 'part', 'journal', 'complete'] as const) aim.strike(kind, 'before');
    aim.progressed();
    status = 503;
    expect(await send('PUT', manifest, 'one')).toEqual({ status: 503, body: 'answer' });
    expect(strikes).toEqual([]);
    expect(aim.armed).toBe(true);
  });

  it('aborts the request to the store when the job disconnects', async () => {
    server.removeAllListeners('request');
    const gone = new Promise<void>((closed) => {
      server.on('request', (incoming: IncomingMessage) => incoming.socket.once('close', () => closed()));
    });
    const outgoing = request(`${proxy.endpoint}/lake/slow`, { agent: false }).on('error', () => undefined);
    outgoing.end();
    server.once('request', () => outgoing.destroy());
    await gone;
  });
});

describe('Pace', () => {
  const objects = new Map([
    ['a', { events: 1000, bytes: 100_000 }],
    ['b', { events: 1000, bytes: 10_000 }],
  ]);

  it('slows down towards the mark of the next kill, and has no limit after the last', async () => {
    const pace = new Pace({ objects, kills: 1, seconds: 0.01 });
    expect(pace.rate).toBeCloseTo(100_000);
    const a = pace.reader('a', 0);
    await a.pass(50_000);
    expect(pace.events).toBeCloseTo(500);
    expect(pace.rate).toBeCloseTo(50_000);
    await a.pass(50_000);
    expect(pace.rate).toBeCloseTo(1000 / 8);
    pace.killed();
    expect(pace.rate).toBe(Infinity);
    await pace.reader('b', 0).pass(10_000);
    expect(pace.events).toBeCloseTo(2000);
  });

  it('restores what a killed job had read ahead of its checkpoint', async () => {
    const pace = new Pace({ objects, kills: 2, seconds: 0.001 });
    const a = pace.reader('a', 0);
    await a.pass(60_000);
    a.done();
    const b = pace.reader('b', 0);
    await b.pass(1_000);
    b.done();
    expect(pace.events).toBeCloseTo(700);
    pace.killed();
    pace.reader('a', 20_000);
    expect(pace.events).toBeCloseTo(200);
    pace.reader('a', 10_000);
    expect(pace.events).toBeCloseTo(200);
  });

  it('reports when it is halfway to the next kill', async () => {
    const pace = new Pace({ objects, kills: 1, seconds: 0.001 });
    const a = pace.reader('a', 0);
    await a.pass(49_000);
    expect(pace.due).toBe(false);
    await a.pass(2_000);
    expect(pace.due).toBe(true);
    pace.killed();
    expect(pace.due).toBe(false);
  });

  it('releases readers one after the other, the oldest first', async () => {
    const pace = new Pace({ objects, kills: 1, seconds: 0.01 });
    const [first, second] = [pace.reader('a', 0), pace.reader('b', 0)];
    const order: string[] = [];
    const later = second.pass(100).then(() => order.push('second'));
    for (let i = 0; i < 3; i++) await first.pass(5_000).then(() => order.push('first'));
    first.done();
    await later;
    expect(order).toEqual(['first', 'first', 'first', 'second']);
  });
});
