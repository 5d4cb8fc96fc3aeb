import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import {
  delegationTokens,
  deserializeToken,
  serializeToken,
  type DelegationToken,
  type DelegationTokensOptions,
} from '../../../../src/store/s3/index.js';
import { SimulatedClock } from '../../../../src/testing/simulatedClock.js';
import { credentials, failure } from '../../s3support.js';

const hour = 3_600_000;

/** An STS that issues tokens 1, 2, … by the clock of the test, unless it is set to fail. */
let sts: Server;
let endpoint: string;
let clock: SimulatedClock;
let requests: { readonly at: number; readonly form: URLSearchParams; readonly authorization: string }[];
let refusal: { readonly status: number; readonly code: string } | undefined;
let life: number;

beforeEach(async () => {
  clock = new SimulatedClock(1_700_000_000_000);
  requests = [];
  refusal = undefined;
  life = 12 * hour;
  sts = createServer((request, response) => {
    void read(request).then((body) => {
      requests.push({
        at: clock.now(),
        form: new URLSearchParams(body),
        authorization: request.headers.authorization ?? '',
      });
      response.statusCode = refusal?.status ?? 200;
      response.end(refusal === undefined ? granted(requests.length) : refused(refusal.code));
    });
  });
  await new Promise<void>((resolve) => sts.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(sts.address() as AddressInfo).port}`;
});
afterEach(() => {
  sts.closeAllConnections();
  sts.close();
});

async function read(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += (chunk as Buffer).toString();
  return body;
}

const granted = (n: number): string =>
  `<GetSessionTokenResponse><GetSessionTokenResult><Credentials><AccessKeyId>KEY${n}</AccessKeyId>` +
  `<SecretAccessKey>SECRET${n}</SecretAccessKey><SessionToken>TOKEN${n}</SessionToken>` +
  `<Expiration>${new Date(clock.now() + life).toISOString()}</Expiration></Credentials></GetSessionTokenResult></GetSessionTokenResponse>`;
const refused = (code: string): string =>
  `<ErrorResponse><Error><Code>${code}</Code><Message>No.</Message></Error></ErrorResponse>`;

const tokensOf = (options: DelegationTokensOptions = {}) =>
  delegationTokens({
    s3: { endpoint, credentials, region: 'eu-north-1' },
    clock,
    random: () => 0.5,
    ...options,
  });

/** Everything that `tokens$` emits, one at a time. */
function listen(options: DelegationTokensOptions = {}): {
  readonly next: () => Promise<DelegationToken>;
  readonly failed: () => Promise<readonly [unknown, number]>;
  readonly error: Promise<unknown>;
  readonly stop: () => void;
} {
  const queue = <T>(): { put: (value: T) => void; get: () => Promise<T> } => {
    const values: T[] = [];
    let wake: (() => void) | undefined;
    return {
      put: (value) => {
        values.push(value);
        wake?.();
      },
      get: async () => {
        if (values.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        return values.shift()!;
      },
    };
  };
  const tokens = queue<DelegationToken>();
  const failures = queue<readonly [unknown, number]>();
  let fail: (error: unknown) => void;
  const error = new Promise<unknown>((resolve) => (fail = resolve));
  const subscription = tokensOf({ onFailure: (...it) => failures.put(it), ...options }).subscribe({
    next: tokens.put,
    error: (it: unknown) => fail(it),
  });
  return { next: tokens.get, failed: failures.get, error, stop: () => subscription.unsubscribe() };
}

describe('tokens', () => {
  test('are requested on subscribe, with the keys and region of `s3`', async () => {
    const tokens$ = tokensOf({ duration: '1h' });
    expect(requests).toHaveLength(0);
    const token = await firstValueFrom(tokens$);
    expect({ ...token }).toEqual({
      service: 's3-native',
      accessKeyId: 'KEY1',
      secretAccessKey: 'SECRET1',
      sessionToken: 'TOKEN1',
      expiration: new Date(clock.now() + life),
    });
    const [{ form, authorization }] = requests as [(typeof requests)[0]];
    expect(Object.fromEntries(form)).toMatchObject({ Action: 'GetSessionToken', DurationSeconds: '3600' });
    expect(authorization).toMatch(/Credential=TESTKEY\/\d+\/eu-north-1\/sts\//);
  });

  test('have keys, a region and an endpoint of their own if these are set', async () => {
    await firstValueFrom(
      delegationTokens({
        credentials: { accessKeyId: 'ISSUER', secretAccessKey: 'x' },
        region: 'ap-east-1',
        endpoint,
        s3: { endpoint: 'http://127.0.0.1:1', credentials, region: 'eu-north-1' },
        clock,
      }),
    );
    expect(requests[0]!.authorization).toMatch(/Credential=ISSUER\/\d+\/ap-east-1\/sts\//);
    expect(requests[0]!.form.has('DurationSeconds')).toBe(false);
  });

  test.each([
    [undefined, 0.75],
    [0.5, 0.5],
  ])('are renewed after a fraction of their lifetime (ratio %p)', async (renewalRatio, share) => {
    const { next, stop } = listen(renewalRatio === undefined ? {} : { renewalRatio });
    const start = clock.now();
    for (let n = 1; n <= 4; n++) {
      expect((await next()).accessKeyId).toBe(`KEY${n}`);
      expect(clock.step()).toBe(true);
    }
    await next();
    expect(requests.map(({ at }) => at - start)).toEqual([0, 1, 2, 3, 4].map((n) => n * share * life));
    stop();
    expect(clock.step()).toBe(false);
  });

  test('are shared: a late subscriber gets the newest immediately; the last to unsubscribe ends the renewals', async () => {
    const tokens$ = tokensOf();
    const early: string[] = [];
    let second: () => void = () => undefined;
    const renewed = new Promise<void>((resolve) => (second = resolve));
    const subscription = tokens$.subscribe(({ accessKeyId }) => {
      early.push(accessKeyId);
      if (early.length === 2) second();
    });
    await firstValueFrom(tokens$);
    clock.step();
    await renewed;
    const late: string[] = [];
    const other = tokens$.subscribe(({ accessKeyId }) => late.push(accessKeyId));
    expect(late).toEqual(['KEY2']);
    expect(requests).toHaveLength(2);
    subscription.unsubscribe();
    other.unsubscribe();
    expect(clock.step()).toBe(false);
    expect((await firstValueFrom(tokens$)).accessKeyId).toBe('KEY3');
  });

  test('are retried with growing delays, from 1 s to 5 min', async () => {
    refusal = { status: 500, code: 'InternalFailure' };
    const { next, failed, stop } = listen();
    const delays: number[] = [];
    for (let n = 0; n < 11; n++) {
      const [error, delay] = await failed();
      expect(error).toMatchObject({ code: 'Unavailable' });
      delays.push(delay);
      if (n === 10) refusal = undefined;
      clock.step();
    }
    expect(delays.slice(0, 3)).toEqual([750, 1500, 3000]);
    expect(delays.slice(-2)).toEqual([225_000, 225_000]);
    expect((await next()).accessKeyId).toBe('KEY12');
    stop();
  });

  test('that cannot be renewed are kept until they end; permanent errors end them after that', async () => {
    const { next, failed, error } = listen({ renewalRatio: 0.999 });
    await next();
    const start = clock.now();
    refusal = { status: 403, code: 'AccessDenied' };
    let tries = 0;
    clock.step();
    while (clock.now() < start + life) {
      await failed();
      tries++;
      clock.step();
    }
    expect(tries).toBeGreaterThan(3);
    expect(await error).toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringMatching(/GetSessionToken.*long-lived/) as string,
    });
    expect(clock.step()).toBe(false);
  });

  test('are an immediate error if the keys may not have any', async () => {
    refusal = { status: 403, code: 'AccessDenied' };
    expect(await failure(tokensOf())).toMatchObject({ code: 'PermissionDenied' });
    expect(requests).toHaveLength(1);
  });

  test('are not available with temporary credentials: STS is not even called', async () => {
    const session = { ...credentials, sessionToken: 'a-session' };
    for (const keys of [session, () => Promise.resolve(session)])
      expect(await failure(tokensOf({ credentials: keys }))).toMatchObject({
        code: 'TemporaryCredentials',
        retryable: false,
        message: expect.stringMatching(/temporary credentials.*access key of a user/) as string,
      });
    expect(requests).toHaveLength(0);
  });

  test('are none if they are not enabled', async () => {
    expect(await lastValueFrom(tokensOf({ enabled: false }).pipe(toArray()))).toEqual([]);
    expect(requests).toHaveLength(0);
  });

  test.each([
    [{ renewalRatio: 0 }, 'delegationTokens.renewalRatio'],
    [{ renewalRatio: 1 }, 'delegationTokens.renewalRatio'],
    [{ duration: 899 }, 'delegationTokens.duration'],
    [{ duration: '37h' }, 'delegationTokens.duration'],
    [{ credentials: 'ANONYMOUS' as const }, 'delegationTokens.credentials'],
    [{ endpoint: 'sts' }, 'delegationTokens.endpoint'],
  ])('refuse %p', (options, key) => {
    expect(() => tokensOf(options)).toThrow(expect.objectContaining({ code: 'InvalidOption', key }));
  });

  test('of a server whose clock is slow are not renewed without pause', async () => {
    life = -hour;
    const { next, stop } = listen();
    await next();
    const before = clock.now();
    clock.step();
    expect(clock.now() - before).toBe(1000);
    stop();
  });
});

test('a token shows no secret, and can be sent as a plain value', async () => {
  const token = await firstValueFrom(tokensOf());
  const shown = [
    inspect(token, { depth: Infinity, showHidden: true, getters: true }),
    JSON.stringify(token),
    // As a template would.
    (token as { toString(): string }).toString(),
  ];
  for (const text of shown) expect(text).not.toMatch(/SECRET1|TOKEN1/);
  expect(shown[0]).toContain('KEY1');
  const plain = JSON.parse(JSON.stringify(serializeToken(token))) as ReturnType<typeof serializeToken>;
  expect({ ...deserializeToken(structuredClone(plain)) }).toEqual({ ...token });
  expect(inspect(deserializeToken(plain))).not.toMatch(/SECRET1|TOKEN1/);
});

test('unsubscribing during the request to STS aborts it and leaves nothing behind', async () => {
  const seen: unknown[] = [];
  const aborted = new Promise<void>((resolve) => {
    sts.removeAllListeners('request');
    sts.on('request', (request: IncomingMessage) => {
      request.socket.once('close', () => resolve());
      subscription.unsubscribe();
    });
  });
  const subscription = tokensOf().subscribe({
    next: (token) => seen.push(token),
    error: (error: unknown) => seen.push(error),
  });
  await aborted;
  expect(seen).toEqual([]);
  expect(clock.step()).toBe(false);
});
