/** A sink stays out of the checkpoint directory of its job, under any name of it. */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concat, lastValueFrom, toArray } from 'rxjs';
import { createMemoryStore, listAll, openStores, type ObjectStore } from '../../src/entries/stores.js';
import {
  createJob,
  deadLetter,
  fileSink,
  files,
  loadConfig,
  ndjson,
  silentLogger,
  type FileSinkOptions,
} from '../../src/index.js';
import { startGateway } from '../../src/store/gateway/index.js';
import { Lake } from '../job/harness.js';

interface Row {
  readonly n: number;
}

interface Case {
  readonly dir?: string;
  readonly sink: string;
  readonly partition?: string;
  readonly earlier?: readonly string[];
  readonly entropy?: string;
}

const config = (key: string) =>
  loadConfig({ env: {}, file: false, set: { 's3.entropy.key': key, 's3.entropy.length': 6 } });

/** The outcome of a job of one record, and all keys of its output. */
async function outcome({ dir = 'memory://lake/checkpoints', sink, partition, earlier, entropy }: Case) {
  const lake = new Lake();
  lake.put('raw/a.ndjson', [{ n: 1 }]);
  const { job } = lake.job({
    checkpoints: { dir },
    ...(entropy === undefined ? {} : { config: config(entropy) }),
    restart: 'none',
  });
  const options: FileSinkOptions<Row> = {
    format: ndjson(),
    ...(partition === undefined ? {} : { partitionBy: () => partition }),
    ...(earlier === undefined ? {} : { earlier }),
  };
  const flow = job.source('raw', files('memory://lake/raw/*', { format: ndjson<Row>() }));
  const error: unknown = await lake.run(job, flow.pipe(fileSink('out', sink, options))).then(
    () => undefined,
    (e: unknown) => e,
  );
  return { error, written: (await keysOf(lake.store)).filter((key) => key.includes('part-')) };
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const pages = await lastValueFrom(concat(listAll(store, ''), [[]]).pipe(toArray()));
  return pages.flat().map(({ key }) => key);
}

test.each([
  'memory://lake/checkpoints',
  'memory://lake/checkpoints/',
  'memory://lake/checkpoints//',
  'MEMORY://lake/%63heckpoints',
  'memory://lake/checkpoints/out',
  'memory://lake/checkpoints/test',
  'memory://lake/checkpoints/test/log',
  'memory://lake/checkpoints/test/data/0000000001/',
])('a sink that writes to %s is refused at the start', async (sink) => {
  const { error, written } = await outcome({ sink });
  expect(error).toMatchObject({ code: 'InvalidOption', retryable: false, key: "fileSink 'out': uri" });
  expect((error as Error).message).toMatch(
    /is in the checkpoint directory of the job, memory:\/\/lake\/checkpoints\/.*Use a folder outside of the checkpoint directory/,
  );
  expect(written).toEqual([]);
});

test('a sink of dead letters is refused like any other', async () => {
  const lake = new Lake();
  lake.put('raw/a.ndjson', ['{']);
  const { job } = lake.job({ restart: 'none' });
  const letters = deadLetter(fileSink('rejects', 'memory://lake/checkpoints/test', { format: ndjson() }));
  const raw = files('memory://lake/raw/*', { format: ndjson<Row>(), onMalformed: letters });
  await expect(
    lake.run(job, job.source('raw', raw).pipe(fileSink('out', 'memory://lake/out', { format: ndjson() }))),
  ).rejects.toMatchObject({ code: 'InvalidOption', key: "fileSink 'rejects': uri" });
});

test.each<[string, Case]>([
  ['beside the directory, with a longer name', { sink: 'memory://lake/checkpointsOfOthers' }],
  ['beside the directory, with a shorter name', { sink: 'memory://lake/check' }],
  ['in another bucket of the same keys', { sink: 'memory://lake/out', dir: 'memory://lake/out2' }],
  ['around the directory, without partitions', { sink: 'memory://lake' }],
  ['around the directory, in other partitions', { sink: 'memory://lake', partition: 'checkpoints2/a' }],
  ['in a bucket whose root is the checkpoint directory', { sink: 'memory://lake/out', dir: 'memory://lake' }],
])('a sink %s is not', async (_, given) => {
  const { error, written } = await outcome(given);
  expect(error).toBeUndefined();
  expect(written).toHaveLength(1);
});

test.each<[string, Case]>([
  ['the directory', { sink: 'memory://lake', partition: 'checkpoints' }],
  ['the folder of another job', { sink: 'memory://lake', partition: 'checkpoints/other/data' }],
  ['the log', { sink: 'memory://lake/', partition: 'checkpoints/test/log' }],
  [
    'data that is swept',
    { sink: 'memory://lake/a', dir: 'memory://lake/a/b', partition: 'b/test/data/0000000001' },
  ],
  ['the job’s folder in the root', { sink: 'memory://lake', dir: 'memory://lake', partition: 'test/data' }],
  [
    'data with entropy',
    { sink: 'memory://lake', dir: 'memory://lake/_e_/cp', entropy: '_e_', partition: 'ENTROPY/cp/test/data' },
  ],
])('a partition in %s is refused', async (_, given) => {
  // What the harness's `random` draws for each of them.
  const partition = given.partition?.replace('ENTROPY', 's'.repeat(6));
  const { error, written } = await outcome({ ...given, ...(partition === undefined ? {} : { partition }) });
  expect(error).toMatchObject({ code: 'InvalidPartition', retryable: false });
  expect((error as Error).message).toContain('is in the checkpoint directory of the job');
  expect(written).toEqual([]);
});

test('a job whose sink was inside can be moved out', async () => {
  const { error, written } = await outcome({
    sink: 'memory://lake/out',
    earlier: ['memory://lake/checkpoints/out'],
  });
  expect(error).toBeUndefined();
  expect(written).toHaveLength(1);
});

describe('in local directories', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-folders-'));
    await mkdir(join(root, 'raw'));
    await writeFile(join(root, 'raw/a.ndjson'), '{"n":1}\n');
    await mkdir(join(root, 'cp'));
    await mkdir(join(root, 'out'));
    await symlink(join(root, 'cp'), join(root, 'link'));
    await symlink(root, join(root, 'out', 'up'));
  });
  afterEach(() => rm(root, { recursive: true }));

  async function run(dir: string, sink: string, partition = ''): Promise<unknown> {
    const job = createJob({
      name: 'test',
      checkpoints: { dir },
      logger: silentLogger,
      restart: 'none',
      config: loadConfig({ env: {}, file: false }),
    });
    const flow = job.source('raw', files(`file://${root}/raw/*`, { format: ndjson<Row>() }));
    return job.run(flow.pipe(fileSink('out', sink, { format: ndjson(), partitionBy: () => partition }))).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  test.each([
    ['cp', 'cp'],
    ['cp', 'cp/out'],
    ['cp', 'link'],
    ['cp', 'link/deep/er'],
    ['link', 'cp/out'],
    ['cp', 'out/up/cp/x'],
  ])('checkpoints in %s, a sink in %s: refused', async (dir, sink) => {
    await expect(run(`file://${root}/${dir}/`, `file://localhost${root}/${sink}`)).resolves.toMatchObject({
      code: 'InvalidOption',
      key: "fileSink 'out': uri",
    });
  });

  test.each([
    ['link', 'cp/test/log'],
    ['link', 'link/x'],
    ['cp', 'cp'],
    ['out/up/cp', 'cp/other'],
  ])('checkpoints in %s, a partition in %s: refused', async (dir, partition) => {
    await expect(run(`file://${root}/${dir}`, `file://${root}`, partition)).resolves.toMatchObject({
      code: 'InvalidPartition',
    });
  });

  test('a key that only looks like a path into it is not', async () => {
    await expect(run(`file://${root}/cp`, `file://${root}/out/../cp`)).resolves.toBeUndefined();
    expect(await readdir(join(root, 'cp'))).toEqual(['test']);
  });
});

test('one bucket under two names of its server is one', async () => {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  const other = createMemoryStore({ uri: 'memory://other' });
  await lastValueFrom(lake.put('raw/a.ndjson', Buffer.from('{"n":1}\n')));
  const credentials = { accessKeyId: 'KEY', secretAccessKey: 'secret-of-the-test' };
  await using gateway = await startGateway({ buckets: { lake, other, alias: lake }, credentials });
  using stores = openStores({
    s3: { endpoint: gateway.endpoint, endpointProtocol: 'http', credentials },
  });
  const { port } = new URL(gateway.endpoint);
  const run = async (name: string, sink: string, partition = ''): Promise<unknown> => {
    const job = createJob({
      name,
      checkpoints: { dir: 's3://lake/checkpoints' },
      stores,
      logger: silentLogger,
      restart: 'none',
      config: loadConfig({ env: {}, file: false }),
    });
    const flow = job.source('raw', files('s3://lake/raw/*', { format: ndjson<Row>() }));
    return job.run(flow.pipe(fileSink('out', sink, { format: ndjson(), partitionBy: () => partition }))).then(
      () => undefined,
      (error: unknown) => error,
    );
  };
  const hidden = `s3x://KEY:${credentials.secretAccessKey}@localhost:${port}/lake`;
  for (const [at, bucket] of ['s3a://lake', 's3://alias', hidden].entries()) {
    for (const folder of ['checkpoints', 'checkpoints/', 'checkpoints/x']) {
      const error = await run(`a${at}`, `${bucket}/${folder}`);
      expect(error).toMatchObject({ code: 'InvalidOption', key: "fileSink 'out': uri" });
      expect((error as Error).message).not.toContain(credentials.secretAccessKey);
    }
    await expect(run(`b${at}`, bucket, 'checkpoints/x')).resolves.toMatchObject({ code: 'InvalidPartition' });
  }
  await expect(run('c', 's3://other/checkpoints', 'test')).resolves.toBeUndefined();
});
