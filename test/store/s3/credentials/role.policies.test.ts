import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { lastValueFrom, type Observable } from 'rxjs';
import {
  createJob,
  fileSink,
  files,
  keyed,
  ndjson,
  valueState,
  type JobEvent,
} from '../../../../src/index.js';
import { loadConfig } from '../../../../src/config/load/index.js';
import type { S3Options } from '../../../../src/config/s3Options.js';
import { startGateway, type Faults } from '../../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import { S3Connection, type S3Credentials } from '../../../../src/store/s3/index.js';
import {
  actions,
  actionsOf,
  kmsActionsOf,
  outside,
  without,
  type Asked,
  type Policy,
} from '../../policies.js';
import { emptyCephBucket } from '../../realBucket.js';
import { answer, credentials } from '../../s3support.js';

const page = readFileSync(join(import.meta.dirname, '../../../../docs/credentials.md'), 'utf8');

const policies = new Map(
  [...page.matchAll(/<!-- policy: (\w+) -->\n```json\n([^]*?)```/g)].map(
    ([, name, json]) => [name ?? '', JSON.parse(json ?? '') as Policy] as const,
  ),
);
const policy = (name: string): Policy => policies.get(name)!;
const s3Policies = ['source', 'sink', 'state', 'sweep'].map(policy);

type Buckets = Readonly<Record<'raw' | 'lake' | 'state', string>>;
const sameNames: Buckets = { raw: 'raw', lake: 'lake', state: 'state' };

interface Visit {
  readonly user: string;
  readonly pad: string;
}

const visits = 400;
const input = Buffer.from(
  Array.from(
    { length: visits },
    (_, i) => `${JSON.stringify({ user: `u${i % 50}`, pad: 'x'.repeat(1500) })}\n`,
  ).join(''),
);

/** The job of the page: reads `raw/2026`, publishes to `lake/clicks`, keeps state in `state/checkpoints`. */
async function run(s3: S3Options, buckets: Buckets): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  const job = createJob({
    name: 'clicks',
    checkpoints: { dir: `s3://${buckets.state}/checkpoints`, interval: 50 },
    restart: 'none',
    config: loadConfig({ env: {}, file: false }),
    s3,
  });
  job.events$.subscribe((event) => events.push(event));
  const out = job.source('in', files(`s3://${buckets.raw}/2026/*.ndjson`, { format: ndjson<Visit>() })).pipe(
    keyed('count', {
      key: ({ user }) => user,
      state: { seen: valueState(0) },
      onRecord: (visit, { seen }) => [{ ...visit, n: seen.update((n) => n + 1) }],
    }),
    fileSink('out', `s3://${buckets.lake}/clicks`, { format: ndjson(), partSize: '5MiB' }),
  );
  await job.run(out);
  return events;
}

/** Three lives of the job: one that loses everything in the middle, one that cleans up and finishes, one with nothing to do. */
async function lives(denied: (asked: Asked) => boolean): Promise<{
  readonly asked: Asked[];
  readonly events: JobEvent[];
  readonly published: number;
  /** Uploads that nobody completed or aborted. */
  readonly left: number;
}> {
  const [raw, lake] = [createMemoryStore(), createMemoryStore()];
  // As on Ceph: the probe's upload has to be aborted.
  const state = createMemoryStore({ completeSubset: false });
  await answer(raw.put('2026/1.ndjson', input));
  const missing = (bucket: string, key: string): boolean => {
    let gone = true;
    const store = { raw, lake, state }[bucket];
    store?.head(key).subscribe({ next: () => (gone = false), error: () => undefined });
    return gone;
  };
  const asked: Asked[] = [];
  const refusal = { failure: { kind: 'answer', status: 403, code: 'AccessDenied' } } as const;
  const trouble = { failure: { kind: 'answer', status: 500, code: 'InternalError' } } as const;
  let life = 1;
  let completed = 0;
  const faults: Faults = ({ operation, bucket, key }) => {
    const one = { operation, bucket, key };
    asked.push(one);
    if (denied(one)) return refusal;
    // S3 does not reveal to clients without the right to list that an object is missing.
    const looks = operation === 'HeadObject' || operation === 'GetObject';
    if (looks && denied({ ...one, operation: 'ListObjectsV2', key: '' }) && missing(bucket, key))
      return refusal;
    if (bucket === 'lake' && operation === 'UploadPart' && life === 1) return refusal;
    if (bucket === 'lake' && operation === 'CompleteMultipartUpload' && ++completed === 1) return trouble;
    return undefined;
  };
  await using gateway = await startGateway({ buckets: { raw, lake, state }, credentials, faults });
  const s3 = { endpoint: gateway.endpoint, credentials };
  await expect(run(s3, sameNames)).rejects.toMatchObject({ code: 'PermissionDenied' });
  life = 2;
  const events = [...(await run(s3, sameNames)), ...(await run(s3, sameNames))];
  let published = 0;
  for (const { key } of (await answer(lake.list({}))).objects) {
    const { chunks } = await answer(lake.get(key));
    published += Buffer.concat(chunks).toString().trimEnd().split('\n').length;
  }
  const left = (await answer(lake.listUploads({ prefix: '' }))).uploads.length;
  return { asked, events, published, left };
}

test('the policies of the page are exactly what a job needs', async () => {
  const { asked, events, published, left } = await lives(() => false);
  expect([published, left]).toEqual([visits, 0]);
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['uploads-swept', 'checkpoint-durable']),
  );
  const of = (bucket: string): Asked[] => asked.filter((one) => one.bucket === bucket);
  const sweeps = ({ operation }: Asked): boolean => operation === 'ListMultipartUploads';
  const aborts = ({ operation }: Asked): boolean => operation === 'AbortMultipartUpload';
  expect(actionsOf(policy('source'))).toEqual(actions(of('raw')));
  // A HEAD or GET of a missing object needs the right to list, besides its own.
  expect(actionsOf(policy('sink'))).toEqual(
    [...actions(of('lake').filter((one) => !sweeps(one) && !aborts(one))), 's3:ListBucket'].sort(),
  );
  expect(actionsOf(policy('state'))).toEqual(actions(of('state').filter((one) => !sweeps(one))));
  expect(actionsOf(policy('sweep'))).toEqual(
    actions([...asked.filter(sweeps), ...of('lake').filter(aborts)]),
  );
  const kms = new Set(asked.flatMap(({ operation }) => kmsActionsOf[operation] ?? []));
  expect(actionsOf(policy('kms'))).toEqual([...kms].sort());
});

test('a job under the policies of the page does all its work', async () => {
  const { published, events, left } = await lives(outside(s3Policies));
  expect([published, left]).toEqual([visits, 0]);
  expect(events.filter(({ type }) => type === 'warning')).toEqual([]);
});

test('without the policy for sweeps it does its work, too, and reports what it leaves', async () => {
  const { published, events, left } = await lives(outside(['source', 'sink', 'state'].map(policy)));
  expect(published).toBe(visits);
  expect(left).toBeGreaterThan(0);
  expect(events).toContainEqual(
    expect.objectContaining({
      type: 'warning',
      message: expect.stringContaining('s3:ListBucketMultipartUploads') as string,
    }),
  );
});

test('without the right to list, a sink cannot distinguish a lost answer from a denied HEAD', async () => {
  const blind = without(policy('sink'), 's3:ListBucket');
  await expect(
    lives(outside([policy('source'), blind, policy('state'), policy('sweep')])),
  ).rejects.toMatchObject({
    code: 'PermissionDenied',
    message: expect.stringMatching(/s3:ListBucket/) as string,
  });
});

describe('the examples of the page', () => {
  const blocks = (language: string): string[] =>
    [...page.matchAll(new RegExp('```' + language + '\\n([^]*?)```', 'g'))].map(([, code]) => code ?? '');

  /** All that is about credentials, but the region. */
  const s3Of = (config: ReturnType<typeof loadConfig>): object => ({
    credentials: config.s3.credentials,
    assumeRole: config.s3.assumeRole,
    delegation: { ...config.delegationTokens, region: undefined },
  });

  /** Secrets are ordinary properties that no copy hides. */
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value) || typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
  };

  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-page-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test('in YAML and for the environment load, and mean the same', async () => {
    const yaml = blocks('yaml');
    const environment = blocks('sh');
    expect(yaml.length).toBe(5);
    expect(environment.length).toBe(yaml.length);
    for (const [i, text] of yaml.entries()) {
      const env = Object.fromEntries(
        environment[i]!.trim()
          .split(/\s+/)
          .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
      ) as Record<string, string>;
      const fromEnvironment = loadConfig({ env, file: false });
      const file = join(directory, `${i}.yaml`);
      await writeFile(file, text);
      const fromFile = loadConfig({ env: {}, file });
      expect([fromEnvironment.warnings, fromFile.warnings]).toEqual([[], []]);
      expect(plain(s3Of(fromEnvironment))).toEqual(plain(s3Of(fromFile)));
      expect(plain(s3Of(fromFile))).not.toEqual(plain(s3Of(loadConfig({ env: {}, file: false }))));
    }
  });
});

const ceph = process.env['MILLRACE_TEST_S3_ENDPOINT'];
const arn = process.env['MILLRACE_TEST_S3_ROLE_ARN'];
if (ceph !== undefined && arn !== undefined) {
  test('a real server lets a session under the policies of the page do the work, and nothing else', async () => {
    const region = process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1';
    const owner = {
      accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
      secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    };
    const suffix = crypto.randomUUID();
    const buckets = { raw: `raw-${suffix}`, lake: `lake-${suffix}`, state: `state-${suffix}` };
    const whole = { Version: '2012-10-17', Statement: s3Policies.flatMap(({ Statement }) => Statement) };
    const here = JSON.stringify(whole).replace(/arn:aws:s3:::(raw|lake|state)/g, `$&-${suffix}`);
    using s3 = new S3Connection({ endpoint: ceph, region, credentials: owner });
    for (const bucket of Object.values(buckets))
      await lastValueFrom(s3.createBucket(bucket) as Observable<unknown>, { defaultValue: undefined });
    try {
      await answer(
        s3.store(buckets.raw).put('2026/1.ndjson', input.subarray(0, input.indexOf('\n', 200_000) + 1)),
      );
      for (const bucket of Object.values(buckets))
        await answer(s3.store(bucket).put('elsewhere', input.subarray(0, 10)));
      const session = await sessionUnder(here, ceph, region, owner, arn);
      await run({ endpoint: ceph, region, credentials: session }, buckets);
      expect(
        (await answer(s3.store(buckets.lake).list({ prefix: 'clicks/' }))).objects.length,
      ).toBeGreaterThan(0);
      using limited = new S3Connection({ endpoint: ceph, region, credentials: session });
      const forbidden = [
        limited.store(buckets.raw).put('2026/2.ndjson', input.subarray(0, 10)),
        limited.store(buckets.raw).get('elsewhere'),
        limited.store(buckets.lake).put('elsewhere', input.subarray(0, 10)),
        limited.store(buckets.state).put('elsewhere', input.subarray(0, 10)),
      ];
      for (const request of forbidden)
        await expect(answer(request as Observable<unknown>)).rejects.toMatchObject({
          code: 'PermissionDenied',
        });
    } finally {
      for (const bucket of Object.values(buckets)) await emptyCephBucket(s3, bucket);
    }
  });
} else {
  it.todo('a real server: set MILLRACE_TEST_S3_ENDPOINT and MILLRACE_TEST_S3_ROLE_ARN');
}

async function sessionUnder(
  json: string,
  endpoint: string,
  region: string,
  keys: S3Credentials,
  role: string,
): Promise<S3Credentials> {
  const client = new STSClient({ endpoint, region, credentials: keys });
  try {
    const input = { RoleArn: role, RoleSessionName: 'policies', Policy: json };
    const { Credentials } = await client.send(new AssumeRoleCommand(input));
    return {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    };
  } finally {
    client.destroy();
  }
}
