import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { BehaviorSubject, defer, lastValueFrom, NEVER, of, Subject, throwError, type Observable } from 'rxjs';
import { MillraceError } from '../../../../src/errors.js';
import { startGateway, type Gateway, type GatewayOptions } from '../../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../../src/store/objectStore.js';
import { token } from '../../../../src/store/s3/credentials/tokens.js';
import {
  delegationTokens,
  receivedTokens,
  S3Connection,
  sendTokens,
  type DelegationToken,
} from '../../../../src/store/s3/index.js';
import { SimulatedClock } from '../../../../src/testing/simulatedClock.js';
import type { Errand, Report } from '../../../processes/borrower.js';
import { emptyCephBucket } from '../../realBucket.js';
import { answer, credentials } from '../../s3support.js';

/** The program is always the compiled one. */
const program = fileURLToPath(new URL('../../../../build/test/processes/borrower.js', import.meta.url));

const quiet: NodeJS.ProcessEnv = { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1' };

/** Sends a worker of either kind on an errand, with these tokens and nothing else. Resolves once it has ended by itself. */
async function send(
  kind: 'thread' | 'process',
  errand: Errand,
  tokens: Observable<DelegationToken>,
): Promise<Report> {
  const worker: Worker | ChildProcess =
    kind === 'thread'
      ? new Worker(program, { workerData: errand, env: quiet, execArgv: [] })
      : fork(program, [JSON.stringify(errand)], { env: quiet, execArgv: [] });
  const handing = sendTokens(tokens, worker).subscribe();
  try {
    let report: Report | undefined;
    worker.on('message', (message: object) => {
      if ('written' in message) report = message as Report;
    });
    const [code] = (await once(worker, 'exit')) as [number];
    expect(code).toBe(0);
    expect(handing.closed).toBe(true);
    return report!;
  } finally {
    handing.unsubscribe();
  }
}

let lake: ObjectStore;
let gateway: Gateway;

async function start(options: Partial<GatewayOptions> = {}): Promise<Errand> {
  lake = createMemoryStore();
  gateway = await startGateway({ buckets: { lake }, credentials, sts: {}, ...options });
  return { endpoint: gateway.endpoint, region: 'us-east-1', bucket: 'lake', key: 'out', times: 4 };
}
afterEach(() => gateway?.close());

describe.each(['thread', 'process'] as const)('a worker %s', (kind) => {
  test('works with a token of its parent, and ends when its work is done', async () => {
    const errand = await start();
    const tokens$ = delegationTokens({ s3: { endpoint: gateway.endpoint, credentials } });
    expect(await send(kind, errand, tokens$)).toEqual({ written: 4 });
    expect((await answer(lake.list({}))).objects).toHaveLength(4);
  });

  test('gets the new token once its own has ended, in the middle of its work', async () => {
    const expiration = new Date(Date.now() + 5 * 60_000);
    const [first, second] = ['first', 'second'].map((name) =>
      token({
        accessKeyId: name.toUpperCase(),
        secretAccessKey: `secret of the ${name}`,
        sessionToken: `token of the ${name}`,
        expiration: name === 'first' ? expiration : new Date(Date.now() + 3_600_000),
      }),
    ) as [DelegationToken, DelegationToken];
    const tokens$ = new BehaviorSubject(first);
    let puts = 0;
    let passed = 0;
    const errand = await start({
      credentials: [first, second],
      now: () => Date.now() + passed,
      observe: ({ phase }) => {
        if (phase !== 'started' || ++puts !== 3) return;
        passed = 6 * 60_000;
        tokens$.next(second);
      },
    });
    expect(await send(kind, errand, tokens$)).toEqual({ written: 4 });
    expect(puts).toBe(5);
  });

  test('receives the reason if there is no token', async () => {
    const errand = await start();
    const session = { ...credentials, sessionToken: 'of a session' };
    const tokens$ = delegationTokens({ s3: { endpoint: gateway.endpoint, credentials: session } });
    // Its question waits for the one answer that comes.
    expect(await send(kind, errand, tokens$)).toEqual({ written: 0, code: 'TemporaryCredentials' });
    const none$ = delegationTokens({ enabled: false });
    expect(await send(kind, errand, none$)).toEqual({ written: 0, code: 'NoTokens' });
  });
});

describe('between two ends of a channel', () => {
  test('a question waits for the first token; other messages are ignored', async () => {
    const { port1, port2 } = new MessageChannel();
    const tokens$ = new Subject<DelegationToken>();
    const handing = sendTokens(tokens$, port1).subscribe();
    const ask = receivedTokens(port2);
    port1.postMessage('of someone else');
    const asked = [ask(), ask()];
    const others = once(port2, 'message');
    expect(await others).toEqual(['of someone else']);
    const expiration = new Date(Date.now() + 60_000);
    tokens$.next(token({ ...credentials, sessionToken: 'x', expiration }));
    for (const given of await Promise.all(asked))
      expect({ ...given }).toMatchObject({ ...credentials, sessionToken: 'x', expiration });
    expect(port2.listenerCount('message')).toBe(0);
    handing.unsubscribe();
    expect(port1.listenerCount('message')).toBe(0);
    port1.close();
  });

  test('a question that nobody answers ends after a minute', async () => {
    const { port1, port2 } = new MessageChannel();
    const clock = new SimulatedClock();
    const asked = receivedTokens(port2, { clock })();
    clock.step();
    expect(clock.now()).toBe(60_000);
    await expect(asked).rejects.toMatchObject({
      code: 'NoTokens',
      retryable: true,
      message: expect.stringMatching(/sendTokens/) as string,
    });
    expect(port2.listenerCount('message')).toBe(0);
    port1.close();
  });

  test('a question ends with its channel', async () => {
    const { port1, port2 } = new MessageChannel();
    const clock = new SimulatedClock();
    const asked = receivedTokens(port2, { clock })();
    port1.close();
    await expect(asked).rejects.toMatchObject({
      code: 'NoTokens',
      message: expect.stringMatching(/has gone/) as string,
    });
    expect(clock.step()).toBe(false);
  });

  test('a failure is the answer, of a foreign error without its message; the next question tries again', async () => {
    const { port1, port2 } = new MessageChannel();
    const outcomes: Observable<DelegationToken>[] = [
      throwError(() => new Error('before anybody asks')),
      throwError(() => new MillraceError('Unavailable', 'STS is away.', { retryable: true })),
      throwError(() => new Error('key=verySecret')),
      of(token({ ...credentials, sessionToken: 'x', expiration: new Date() })),
    ];
    const tokens$ = defer(() => outcomes.shift() ?? NEVER);
    const handing = sendTokens(tokens$, port1).subscribe();
    const ask = receivedTokens(port2);
    await expect(ask()).rejects.toMatchObject({ code: 'Unavailable', retryable: true });
    const foreign: unknown = await ask().catch((reason: unknown) => reason);
    expect(foreign).toMatchObject({ code: 'NoTokens' });
    expect(String(foreign)).not.toContain('verySecret');
    expect((await ask()).sessionToken).toBe('x');
    expect(handing.closed).toBe(false);
    handing.unsubscribe();
    port1.close();
  });
});

test('a process without a channel gets an error', async () => {
  const failed = await lastValueFrom(
    sendTokens(NEVER, { on: () => undefined } as unknown as ChildProcess),
  ).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 'NoChannel', message: expect.stringMatching(/fork/) as string });
  await expect(receivedTokens({ on: () => undefined } as unknown as NodeJS.Process)()).rejects.toMatchObject({
    code: 'NoChannel',
  });
});

const ceph = process.env['MILLRACE_TEST_S3_ENDPOINT'];
if (ceph !== undefined) {
  test('on a real server, workers of both kinds write with tokens', async () => {
    const s3 = {
      endpoint: ceph,
      region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
      credentials: {
        accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
        secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
      },
    };
    using connection = new S3Connection(s3);
    const bucket = `tokens-${crypto.randomUUID()}`;
    await lastValueFrom(connection.createBucket(bucket), { defaultValue: undefined });
    try {
      const tokens$ = delegationTokens({ s3, duration: 900 });
      for (const kind of ['thread', 'process'] as const) {
        const errand = { endpoint: ceph, region: s3.region, bucket, key: kind, times: 3 };
        expect(await send(kind, errand, tokens$)).toEqual({ written: 3 });
      }
      expect((await answer(connection.store(bucket).list({}))).objects).toHaveLength(6);
    } finally {
      await emptyCephBucket(connection, bucket);
    }
  });
} else {
  it.todo('on a real server: set MILLRACE_TEST_S3_ENDPOINT');
}
