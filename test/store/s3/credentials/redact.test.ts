import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { jest } from '@jest/globals';
import { catchError, lastValueFrom, of, toArray, type Observable } from 'rxjs';
import {
  createJob,
  fileSink,
  files,
  MillraceError,
  text,
  type Logger,
  type S3Options,
} from '../../../../src/index.js';
import {
  delegationTokens,
  openStores,
  S3Connection,
  type ObjectStore,
} from '../../../../src/entries/stores.js';
import { startGateway, type Fault, type Faults, type Gateway } from '../../../../src/testing/index.js';
import { requestChannels } from '../../../../src/store/observe/channels.js';
import { listAll } from '../../../../src/store/helpers.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import { fast } from '../../fastClock.js';
import { answer } from '../../s3support.js';
import { effort } from '../../../support/effort.js';

const base = { accessKeyId: 'BASEKEY', secretAccessKey: 'base/Secret+that==is-never-to-show' };
const session = {
  accessKeyId: 'SESSIONKEY',
  secretAccessKey: 'session/Secret+that==is-never-to-show',
  sessionToken: 'FwoGZXIvYXdzEBY/token+that==is-never-to-show',
};
const secrets = [base.secretAccessKey, session.secretAccessKey, session.sessionToken];
const arn = 'arn:aws:iam:::role/lake';

/** Everything that is visible from outside, as strings. */
let shown: string[];
let lake: ObjectStore;
let gateway: Gateway;
let fault: Faults;
/** An STS that issues `session`, or refuses with all it knows. */
let sts: Server;
let stsEndpoint: string;
let stsRefuses: boolean;

function show(...things: readonly unknown[]): void {
  for (const one of things) {
    shown.push(inspect(one, { depth: Infinity, showHidden: true, getters: true, maxStringLength: Infinity }));
    shown.push(String(one));
    try {
      shown.push(JSON.stringify(one) ?? '');
    } catch {
      // What refers to itself has no JSON.
    }
    for (let error: unknown = one; error instanceof Error; error = error.cause)
      shown.push(error.message, error.stack ?? '', JSON.stringify(Object.entries(error)));
  }
}

const forms = (known: readonly string[]): string[] =>
  known.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    Buffer.from(secret).toString('hex'),
  ]);

/** A client cannot know that other keys in an answer are secrets. */
const inUse: Readonly<Record<string, readonly string[]>> = {
  keys: [base.secretAccessKey],
  'session keys': [session.secretAccessKey, session.sessionToken],
  'a function': [session.secretAccessKey, session.sessionToken],
  'a role': [session.secretAccessKey, session.sessionToken],
};

function expectClean(way?: string): void {
  const known = forms(way === undefined ? secrets : inUse[way]!);
  const leaks = shown.filter(
    (it) => known.some((form) => it.includes(form)) || /Signature=[0-9a-f]/.test(it),
  );
  expect(leaks).toEqual([]);
  expect(shown.join('').length).toBeGreaterThan(1000);
}

const logger: Logger = {
  debug: (context, message) => show(context, message),
  info: (context, message) => show(context, message),
  warn: (context, message) => show(context, message),
  error: (context, message) => show(context, message),
};

const heard = (message: unknown): void => show(message);

beforeEach(async () => {
  shown = [];
  lake = createMemoryStore();
  fault = () => undefined;
  stsRefuses = false;
  gateway = await startGateway({
    buckets: { lake },
    credentials: [base, session],
    faults: (request) => fault(request),
  });
  sts = createServer((request, response) => {
    response.statusCode = stsRefuses ? 403 : 200;
    const { accessKeyId, secretAccessKey, sessionToken } = session;
    const expiration = new Date(Date.now() + 3_600_000).toISOString();
    const action = stsRefuses ? 'Error' : 'AssumeRole';
    response.end(
      stsRefuses
        ? `<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>With ${base.secretAccessKey}: ${request.headers.authorization ?? ''}</Message></Error></ErrorResponse>`
        : `<${action}Response><${action}Result><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials></${action}Result></${action}Response>`,
    );
  });
  await new Promise<void>((resolve) => sts.listen(0, '127.0.0.1', resolve));
  stsEndpoint = `http://127.0.0.1:${(sts.address() as AddressInfo).port}`;
  for (const { name } of Object.values(requestChannels)) subscribe(name, heard);
  for (const stream of [process.stdout, process.stderr] as const)
    jest.spyOn(stream, 'write').mockImplementation((chunk) => {
      shown.push(String(chunk));
      return true;
    });
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const { name } of Object.values(requestChannels)) unsubscribe(name, heard);
  await gateway.close();
  sts.closeAllConnections();
  sts.close();
});

/** Every way to credentials, each with all of its secrets. */
const ways = (): Readonly<Record<string, S3Options>> => ({
  keys: { credentials: base },
  'session keys': { credentials: session },
  'a function': { credentials: () => Promise.resolve({ ...session }) },
  'a role': { credentials: base, assumeRole: { arn, endpoint: stsEndpoint } },
});

const connect = (options: S3Options): S3Options => ({
  endpoint: gateway.endpoint,
  retry: { maxRetries: 1, base: 1, throttledBase: 1 },
  lowTimeout: '10h',
  highTimeout: '10h',
  ...options,
});

/** Every request of a store, and what became of it. */
async function use(store: ObjectStore): Promise<void> {
  const requests: Observable<unknown>[] = [
    store.put('a', Buffer.from('x')),
    store.get('a'),
    store.head('a'),
    store.list({}),
    store.copy('a', 'b'),
    store.createUpload('c'),
    store.uploadPart('c', 'no-such-upload', 1, Buffer.from('x')),
    store.listUploads({ prefix: '' }),
    store.completeUpload('c', 'no-such-upload', [{ number: 1, etag: 'x', size: 1 }]),
    store.abortUpload('c', 'no-such-upload'),
    store.delete(['b']),
  ];
  for (const request of requests)
    show(
      await lastValueFrom(request.pipe(catchError((error: unknown) => of(error))), {
        defaultValue: undefined,
      }),
    );
}

/** A server that answers with all that it knows. */
const echoes = (status: number, code: string): Fault => ({
  failure: {
    kind: 'answer',
    status,
    code,
    message: `Canonical request: x-amz-security-token:${session.sessionToken} signed with ${session.secretAccessKey} (${encodeURIComponent(session.sessionToken)}), ${base.secretAccessKey}`,
  },
});

const failures: Readonly<Record<string, Fault | undefined>> = {
  none: undefined,
  SignatureDoesNotMatch: echoes(403, 'SignatureDoesNotMatch'),
  AccessDenied: echoes(403, 'AccessDenied'),
  InvalidToken: echoes(400, 'InvalidToken'),
  ExpiredToken: echoes(400, 'ExpiredToken'),
  SlowDown: echoes(503, 'SlowDown'),
  InternalError: echoes(500, 'InternalError'),
  'a code that nobody knows': echoes(418, 'IAmATeapot'),
  'a reset': { failure: { kind: 'reset' } },
  'a body cut off': { failure: { kind: 'cut', at: 0 } },
  'an answer that stalls': { failure: { kind: 'stall', at: 'start' } },
};

const wayNames = ['a role', 'session keys', 'a function', 'keys'];

describe.each(Object.entries(failures))('no secret is shown after %s', (name, planned) => {
  // Each failure meets one way at least, and each way several failures.
  const at = Object.keys(failures).indexOf(name);
  test.each(wayNames.filter((_, i) => i % 4 === at % 4 || effort(0, 1) === 1))('with %s', async (way) => {
    fault = () => planned;
    const stalls = name === 'an answer that stalls';
    const options = connect({ ...ways()[way]!, ...(stalls ? { requestTimeout: 500 } : {}) });
    using stores = openStores({ s3: options, logger, clock: fast });
    const location = stores.open('s3://lake/x');
    if (!stalls) await use(location.store);
    else show(await answer(location.store.head('a')).catch((error: unknown) => error));
    using connection = new S3Connection(options, { logger, clock: fast });
    show(stores, location, location.store, location.reserved, connection, connection.store('lake'));
    expectClean(way);
  });
});

test('no secret is shown when there are no credentials', async () => {
  const broken: Readonly<Record<string, S3Options>> = {
    'a function that quotes': {
      credentials: () => Promise.reject(new SyntaxError(`Unexpected ${session.secretAccessKey}`)),
    },
    'a function with a cause': {
      credentials: () =>
        Promise.reject(Object.assign(new Error('x', { cause: session }), { request: session })),
    },
    'a function that gives too little': {
      credentials: () => Promise.resolve({ accessKeyId: '', secretAccessKey: session.secretAccessKey }),
    },
    'an STS that says all': { credentials: base, assumeRole: { arn, endpoint: stsEndpoint } },
    'an STS that is away': { credentials: base, assumeRole: { arn, endpoint: 'http://127.0.0.1:1' } },
  };
  stsRefuses = true;
  for (const options of Object.values(broken)) {
    using stores = openStores({ s3: connect(options), logger, clock: fast });
    await use(stores.open('s3://lake/x').store);
    show(stores);
  }
  const tokens = delegationTokens({ credentials: base, endpoint: stsEndpoint, region: 'us-east-1' });
  show(await answer(tokens).catch((error: unknown) => error), tokens);
  for (const wrong of [
    { credentials: { accessKeyId: 'a', secretAccessKey: session.secretAccessKey, sessionToken: 7 } },
    { credentials: { provider: session.secretAccessKey } },
    { credentials: base, assumeRole: { arn, endpoint: `http://user:${base.secretAccessKey}@sts` } },
  ])
    try {
      new S3Connection(wrong as unknown as S3Options).close();
    } catch (error) {
      show(error);
    }
  expect(shown.join('\n')).toMatch(/SignatureDoesNotMatch/);
  expectClean();
});

test('a message of a MillraceError that a function throws is shown', async () => {
  const sealed = new MillraceError('VaultSealed', 'The vault is sealed.');
  using stores = openStores({ s3: connect({ credentials: () => Promise.reject(sealed) }) });
  const error: unknown = await answer(stores.open('s3://lake/x').store.head('a')).catch((it: unknown) => it);
  expect(error).toBe(sealed);
});

test.each(['keys', 'session keys', 'a function', 'a role'])(
  'a job with %s shows no secret: not in what it stores, logs, reports, or is',
  async (way) => {
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i}`);
    await answer(lake.put('in/a.txt', Buffer.from(lines.join('\n') + '\n')));
    const seen = new Map<string, number>();
    fault = ({ operation }) => {
      const n = (seen.get(operation) ?? 0) + 1;
      seen.set(operation, n);
      if (n > 1) return undefined;
      return {
        GetObject: echoes(503, 'SlowDown'),
        ListObjectsV2: { failure: { kind: 'reset' } } as const,
        CreateMultipartUpload: echoes(500, 'InternalError'),
        CompleteMultipartUpload: echoes(400, 'ExpiredToken'),
      }[operation as string];
    };
    const job = createJob({
      name: 'clean',
      checkpoints: { dir: 's3://lake/checkpoints' },
      logger,
      clock: fast,
      s3: connect(ways()[way]!),
    });
    job.events$.subscribe((event) => show(event));
    const input = job.source('in', files('s3://lake/in/*.txt', { format: text() }));
    const flow = input.pipe(fileSink('out', 's3://lake/out', { format: text() }));
    show(job, flow, await job.run(flow));
    const objects = (await answer(listAll(lake, '').pipe(toArray()))).flat();
    expect(objects.filter(({ key }) => key.startsWith('checkpoints/')).length).toBeGreaterThan(2);
    for (const { key } of objects) {
      const { chunks, info } = await answer(lake.get(key));
      shown.push(key, Buffer.concat(chunks).toString('latin1'), JSON.stringify(info));
    }
    expect(objects.some(({ key }) => key.startsWith('out/'))).toBe(true);
    expectClean(way);
  },
);
