/** A machine whose clock is off: its first requests are refused, and transparently repeated. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { forkJoin } from 'rxjs';
import { createJob, files, text, values } from '../../../src/index.js';
import { openStores } from '../../../src/entries/stores.js';
import { startGateway, type Gateway, type GatewayEvent } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { requestChannels } from '../../../src/store/observe/channels.js';
import { AwsSettings } from '../../../src/store/s3/aws/settings.js';
import { fixed } from '../../../src/store/s3/credentials/source.js';
import { assumeRole, oneShotHandler } from '../../../src/store/s3/credentials/sts.js';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import { transportOf } from '../../../src/store/s3/transport.js';
import { altered } from '../alteringProxy.js';
import { answer, credentials, failure } from '../s3support.js';

const hour = 3_600_000;
const body = Buffer.from('x');

let lake: ObjectStore;
let gateway: Gateway;
let events: GatewayEvent[];
/** By how much the server's clock is ahead. */
let ahead: number;

beforeEach(async () => {
  lake = createMemoryStore();
  events = [];
  gateway = await startGateway({
    buckets: { lake },
    credentials,
    now: () => Date.now() + ahead,
    sts: { roles: { 'arn:aws:iam:::role/lake': {} } },
    observe: (event) => {
      if (event.phase === 'finished') events.push(event);
    },
  });
  await answer(lake.put('a', body));
});
afterEach(() => gateway.close());

const connected = (options: S3Options = {}): S3Connection =>
  new S3Connection({ endpoint: gateway.endpoint, credentials, retry: { maxRetries: 0 }, ...options });

const http = oneShotHandler(transportOf({}, new AwsSettings(undefined, {})));

const statuses = (): (number | undefined)[] => events.map(({ status }) => status);

describe.each([3 * hour, -3 * hour, 40 * 24 * hour])('a server whose clock is %i ms ahead', (by) => {
  beforeEach(() => {
    ahead = by;
  });

  test.each<[string, (store: ObjectStore) => Promise<unknown>]>([
    ['HEAD', (store) => answer(store.head('a'))],
    ['GET', (store) => answer(store.get('a'))],
    ['listing', (store) => answer(store.list({}))],
    ['PUT', (store) => answer(store.put('b', body))],
    ['conditional PUT', (store) => answer(store.put('b', body, { ifNoneMatch: '*' }))],
    ['creation of an upload', (store) => answer(store.createUpload('b'))],
    ['deletion', (store) => answer(store.delete(['a']))],
  ])('a %s that comes first', async (_, request) => {
    using s3 = connected();
    const store = s3.store('lake');
    await request(store);
    expect(statuses()).toHaveLength(2);
    await request(s3.store('lake')).catch(() => undefined);
    expect(statuses().filter((status) => status === 403)).toHaveLength(1);
  });

  test('twenty requests at once', async () => {
    using s3 = connected();
    const store = s3.store('lake');
    const keys = Array.from({ length: 20 }, (_, i) => `p${i}`);
    await answer(forkJoin(keys.map((key) => store.put(key, body, { ifNoneMatch: '*' }))));
    await answer(forkJoin(keys.map((key) => store.head(key))));
    expect(statuses().slice(40)).toEqual(keys.map(() => 200));
  });

  test('bodies in signed chunks', async () => {
    using s3 = connected({ chunkedEncoding: true, checksum: 'crc32c', payloadSigning: 'signed' });
    await answer(s3.store('lake').put('b', body));
    expect((await answer(lake.head('b'))).size).toBe(1);
  });

  test('a role', async () => {
    using s3 = connected({ assumeRole: { arn: 'arn:aws:iam:::role/lake' } });
    await answer(s3.store('lake').head('a'));
    await answer(s3.store('lake').head('a'));
    expect(events.filter(({ operation, status }) => operation === 'Sts' && status === 200)).toHaveLength(1);
  });

  test('a session ends by the clock of the machine', async () => {
    const session = await assumeRole(
      { endpoint: gateway.endpoint, region: 'us-east-1', base: fixed(credentials), now: Date.now, http },
      { arn: 'arn:aws:iam:::role/lake', sessionName: 'test', seconds: 3600 },
    );
    const left = (session.expiration?.getTime() ?? 0) - Date.now();
    expect(Math.abs(left - hour)).toBeLessThan(60_000);
  });

  test('a job, from its first request on', async () => {
    await answer(lake.put('in/a.txt', Buffer.from('a\nb\n')));
    using stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
    const job = createJob({ name: 'late', checkpoints: { dir: 's3://lake/checkpoints' }, stores });
    const seen: string[] = [];
    job.events$.subscribe(({ type }) => seen.push(type));
    await job.run(job.source('in', files('s3://lake/in/', { format: text() })).pipe(values()));
    expect(seen).not.toContain('restarting');
  });
});

test('a request that is refused with the right clock fails, and is not repeated', async () => {
  ahead = 0;
  using s3 = connected({ credentials: { ...credentials, secretAccessKey: 'another one' } });
  expect(await failure(s3.store('lake').head('a'))).toMatchObject({ code: 'PermissionDenied' });
  expect(statuses()).toEqual([403]);
});

test('a request that is refused with the corrected clock, too, fails with that error', async () => {
  ahead = 3 * hour;
  using s3 = connected({ credentials: { ...credentials, secretAccessKey: 'another one' } });
  expect(await failure(s3.store('lake').get('a'))).toMatchObject({
    code: 'PermissionDenied',
    serverCode: 'SignatureDoesNotMatch',
  });
  expect(statuses()).toEqual([403, 403]);
});

test('a refusal by a server without a valid Date is explained, and not retried', async () => {
  const server = await altered({ retry: { base: 1 } });
  try {
    server.instead = () => ({
      status: 403,
      headers: { date: 'today' },
      body: '<Error><Code>RequestTimeTooSkewed</Code><Message>Too late.</Message></Error>',
    });
    expect(await failure(server.store.list({}))).toMatchObject({
      code: 'InvalidRequest',
      retryable: false,
      message: expect.stringContaining('synchronize it with NTP') as string,
    });
    expect(server.requests).toHaveLength(2);
  } finally {
    await server.close();
  }
});

test('the refusal is not counted as a failure', async () => {
  ahead = 3 * hour;
  const errors: unknown[] = [];
  const heard = (message: unknown): void => void errors.push(message);
  subscribe(requestChannels.error.name, heard);
  subscribe(requestChannels.retry.name, heard);
  try {
    using s3 = connected();
    await answer(s3.store('lake').head('a'));
    expect(errors).toEqual([]);
  } finally {
    unsubscribe(requestChannels.error.name, heard);
    unsubscribe(requestChannels.retry.name, heard);
  }
});
