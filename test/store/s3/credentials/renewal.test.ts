import { toArray } from 'rxjs';
import { createJob, fileSink, files, text, type JobEvent } from '../../../../src/index.js';
import { startGateway, type Gateway, type GatewayEvent } from '../../../../src/store/gateway/index.js';
import { listAll } from '../../../../src/store/helpers.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../../src/store/objectStore.js';
import { S3Connection, type S3Options } from '../../../../src/store/s3/index.js';
import { SimulatedClock } from '../../../../src/testing/index.js';
import { answer, credentials, failure } from '../../s3support.js';

const MiB = 2 ** 20;
const arn = 'arn:aws:iam:::role/lake';

let lake: ObjectStore;
let gateway: Gateway;
let events: GatewayEvent[];
/** Called when a request's headers have come, before its signature is looked at. */
let onRequest: (event: GatewayEvent) => void;

beforeEach(async () => {
  lake = createMemoryStore();
  events = [];
  onRequest = () => undefined;
  gateway = await startGateway({
    buckets: { lake },
    credentials,
    sts: { roles: { [arn]: {} } },
    observe: (event) => {
      events.push(event);
      if (event.phase === 'started') onRequest(event);
    },
  });
});
afterEach(() => gateway.close());

const connect = (options: S3Options = {}, clock = new SimulatedClock(1_000_000)): S3Connection =>
  new S3Connection(
    {
      endpoint: gateway.endpoint,
      credentials,
      assumeRole: { arn },
      retry: { maxRetries: 0 },
      ...options,
    },
    { clock },
  );

const count = (operation: string, status?: number): number =>
  events.filter(
    (event) =>
      event.operation === operation &&
      (status === undefined ? event.phase === 'started' : event.status === status),
  ).length;

/** Ends all sessions when the `n`th request of this operation comes. */
function endAt(operation: string, n: number): void {
  let seen = 0;
  onRequest = (event) => {
    if (event.operation === operation && ++seen === n) gateway.endSessions();
  };
}

/** A clock that runs with the machine's, and can be moved on. */
class MovedClock extends SimulatedClock {
  offset = 0;
  override now(): number {
    return Date.now() + this.offset;
  }
}

test.each<S3Options>([
  {},
  { checksum: 'crc32', payloadSigning: 'unsigned' },
  { chunkedEncoding: true, checksum: 'crc32c' },
  { chunkedEncoding: true, payloadSigning: 'unsigned' },
])('an upload whose session ends between its parts is completed transparently (%p)', async (options) => {
  using s3 = connect(options);
  const store = s3.store('lake');
  const parts = [1, 2, 3, 4].map((n) => Buffer.alloc(5 * MiB, n));
  endAt('UploadPart', 3);
  const { uploadId } = await answer(store.createUpload('big'));
  const uploaded = [];
  for (const [i, part] of parts.entries())
    uploaded.push(await answer(store.uploadPart('big', uploadId, i + 1, part)));
  await answer(store.completeUpload('big', uploadId, uploaded));
  const { chunks } = await answer(lake.get('big'));
  expect(Buffer.concat(chunks).equals(Buffer.concat(parts))).toBe(true);
  expect(count('Sts')).toBe(2);
  expect(count('UploadPart', 400)).toBe(1);
  expect(count('UploadPart', 200)).toBe(4);
});

test('parts in flight that are refused together cost one new session', async () => {
  using s3 = connect();
  const store = s3.store('lake');
  const { uploadId } = await answer(store.createUpload('big'));
  gateway.endSessions();
  const parts = await Promise.all(
    [1, 2, 3, 4, 5, 6, 7, 8].map((n) =>
      answer(store.uploadPart('big', uploadId, n, Buffer.alloc(5 * MiB, n))),
    ),
  );
  await answer(store.completeUpload('big', uploadId, parts));
  expect((await answer(lake.head('big'))).size).toBe(40 * MiB);
  expect(count('Sts')).toBe(2);
});

test.each([
  ['HeadObject', (store: ObjectStore) => store.head('a')],
  ['GetObject', (store: ObjectStore) => store.get('a')],
  ['PutObject', (store: ObjectStore) => store.put('b', Buffer.from('x'), { ifNoneMatch: '*' })],
  ['ListObjectsV2', (store: ObjectStore) => store.list({})],
  ['DeleteObjects', (store: ObjectStore) => store.delete(['b'])],
  ['CopyObject', (store: ObjectStore) => store.copy('a', 'b')],
  ['CreateMultipartUpload', (store: ObjectStore) => store.createUpload('b')],
  ['ListMultipartUploads', (store: ObjectStore) => store.listUploads({ prefix: '' })],
] as const)('a refused %s is repeated, also if its answer has no code', async (operation, ask) => {
  await answer(lake.put('a', Buffer.from('x')));
  using s3 = connect();
  await answer(s3.store('lake').head('a'));
  endAt(operation, 1);
  await answer(ask(s3.store('lake')) as ReturnType<ObjectStore['head']>);
  expect(count('Sts')).toBe(2);
});

test('a read whose session ends in the middle of its body continues where it stopped', async () => {
  const body = Buffer.alloc(3 * MiB, 7);
  await gateway.close();
  let cut = true;
  gateway = await startGateway({
    buckets: { lake },
    credentials,
    sts: { roles: { [arn]: {} } },
    faults: ({ operation }) => {
      if (operation !== 'GetObject' || !cut) return undefined;
      cut = false;
      // By the time that the rest is asked for, the session has ended.
      queueMicrotask(() => setImmediate(() => gateway.endSessions()));
      return { failure: { kind: 'cut', at: MiB } };
    },
  });
  await answer(lake.put('big', body));
  using s3 = connect();
  const { chunks } = await answer(s3.store('lake').get('big'));
  expect(Buffer.concat(chunks).equals(body)).toBe(true);
});

test('a session is replaced before its end, while requests continue', async () => {
  const clock = new MovedClock();
  using s3 = connect({ assumeRole: { arn, sessionDuration: '1h' } }, clock);
  const store = s3.store('lake');
  const both = (): Promise<unknown> =>
    Promise.all([answer(store.list({})), answer(s3.reserved('lake').list({})), answer(store.list({}))]);
  await both();
  clock.offset = 54 * 60_000;
  await both();
  expect(count('Sts')).toBe(1);
  clock.offset = 56 * 60_000;
  await both();
  await both();
  expect(count('Sts')).toBe(2);
  expect(count('ListObjectsV2', 400)).toBe(0);
});

test.each([
  ['meanwhile', 901_000],
  ['not', 0],
])(
  'access denied without a reason is final if the session has %s ended by its own account',
  async (_, passing) => {
    const clock = new MovedClock();
    await gateway.close();
    let deny = false;
    gateway = await startGateway({
      buckets: { lake },
      credentials,
      sts: { roles: { [arn]: {} } },
      faults: ({ operation }) => {
        if (!deny || operation === 'Sts') return undefined;
        deny = false;
        clock.offset += passing;
        return { failure: { kind: 'answer', status: 403, code: 'AccessDenied' } };
      },
      observe: (event) => events.push(event),
    });
    using s3 = connect({ assumeRole: { arn, sessionDuration: 900 } }, clock);
    await answer(s3.store('lake').list({}));
    deny = true;
    const listing = answer(s3.store('lake').list({}));
    if (passing > 0) await listing;
    else await expect(listing).rejects.toMatchObject({ code: 'PermissionDenied' });
    expect(count('Sts')).toBe(passing > 0 ? 2 : 1);
  },
);

test('a new session that is refused, too, is Expired; so is a failure to get one, with the reason', async () => {
  const refusing = { failure: { kind: 'answer', status: 400, code: 'ExpiredToken' } } as const;
  await gateway.close();
  let sts = true;
  gateway = await startGateway({
    buckets: { lake },
    credentials,
    sts: { roles: { [arn]: {} } },
    faults: ({ operation }) =>
      operation === 'Sts'
        ? sts
          ? undefined
          : { failure: { kind: 'answer', status: 403, code: 'AccessDenied', message: 'Not you.' } }
        : refusing,
  });
  using s3 = connect();
  expect(await failure(s3.store('lake').list({}))).toMatchObject({ code: 'Expired', retryable: true });
  sts = false;
  expect(await failure(s3.store('lake').list({}))).toMatchObject({
    code: 'Expired',
    message: expect.stringMatching(/no new ones: AssumeRole .*Not you.*sts:AssumeRole/) as string,
    cause: { code: 'PermissionDenied' },
  });
});

test('a file sink whose sessions end repeatedly publishes everything exactly once, without a restart', async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'x'.repeat(600)}`);
  const third = Math.ceil(lines.length / 3);
  for (const i of [0, 1, 2]) {
    const slice = lines.slice(i * third, (i + 1) * third);
    await answer(lake.put(`in/${i}.txt`, Buffer.from(slice.join('\n') + '\n')));
  }
  const seen = new Map<string, number>();
  const ended: string[] = [];
  onRequest = ({ operation }) => {
    const n = (seen.get(operation) ?? 0) + 1;
    seen.set(operation, n);
    if (operation === 'Sts' || ![1, 4].includes(n)) return;
    ended.push(operation);
    gateway.endSessions();
  };
  const happened: JobEvent[] = [];
  const job = createJob({
    name: 'expiry',
    checkpoints: { dir: 's3://lake/checkpoints' },
    s3: { endpoint: gateway.endpoint, credentials, assumeRole: { arn } },
  });
  job.events$.subscribe((event) => happened.push(event));
  const input = job.source('in', files('s3://lake/in/*.txt', { format: text() }));
  await job.run(
    input.pipe(
      fileSink('out', 's3://lake/out', { format: text(), partSize: '5MiB', roll: { size: '64MiB' } }),
    ),
  );
  const published = (await answer(listAll(lake, 'out/').pipe(toArray()))).flat();
  const out: string[] = [];
  for (const { key } of published) {
    const { chunks } = await answer(lake.get(key));
    out.push(...Buffer.concat(chunks).toString().trimEnd().split('\n'));
  }
  expect(out.length).toBe(lines.length);
  expect(new Set(out)).toEqual(new Set(lines));
  expect((await answer(lake.listUploads({ prefix: '' }))).uploads).toEqual([]);
  expect(ended.filter((operation) => operation === 'UploadPart')).toHaveLength(2);
  expect(ended).toEqual(expect.arrayContaining(['GetObject', 'PutObject', 'CompleteMultipartUpload']));
  expect(happened.map(({ type }) => type)).not.toContain('restarting');
  expect(happened.filter((event) => 'error' in event)).toEqual([]);
});
