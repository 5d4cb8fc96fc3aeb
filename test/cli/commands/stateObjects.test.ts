import { Interrupted } from '../../../src/cli/exit.js';
import { createJob, files, keyed, ndjson, silentLogger, valueState, values } from '../../../src/index.js';
import { createStores } from '../../../src/entries/stores.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { startGateway, type Gateway } from '../../../src/store/gateway/index.js';
import { credentials } from '../../store/s3support.js';
import { cli, keys, put, records, type Given, type Outcome } from '../support.js';

const users = Array.from({ length: 40 }, (_, n) => `user-${n}`);
let lake: ObjectStore;
let gateway: Gateway;
let given: Given;
/** Called when an object has been written, with the headers of the request. */
let written: (headers: Readonly<Record<string, string>>) => void;

beforeEach(async () => {
  written = () => undefined;
  lake = createMemoryStore({ uri: 's3://lake' });
  await put(lake, { 'in/1.ndjson': users.map((user) => `${JSON.stringify({ user })}\n`).join('') });
  const job = createJob({
    name: 'visits',
    checkpoints: { dir: 's3://lake/checkpoints' },
    stores: createStores({ schemes: { s3: () => lake } }),
    logger: silentLogger,
  });
  const flow = job.source('in', files('s3://lake/in/', { format: ndjson<{ user: string }>() })).pipe(
    keyed('per-user', {
      key: ({ user }: { user: string }) => user,
      state: { visits: valueState(0) },
      onRecord: (_, { visits }) => [visits.update((n) => n + 1)],
    }),
    values(),
  );
  await job.run(flow);
  gateway = await startGateway({
    buckets: { lake },
    credentials,
    observe: ({ operation, phase, headers }) => {
      if (operation === 'PutObject' && phase === 'effect') written(headers);
    },
  });
  given = {
    env: {
      S3_ENDPOINT: gateway.endpoint,
      S3_ACCESS_KEY: credentials.accessKeyId,
      S3_SECRET_KEY: credentials.secretAccessKey,
    },
  };
});
afterEach(() => gateway.close());

const job = 's3://lake/checkpoints/visits';
const state = (argv: readonly string[], more: Given = {}): Promise<Outcome> =>
  cli(['state', ...argv], { ...given, ...more });
const below = async (prefix: string): Promise<string[]> =>
  (await keys(lake)).filter((key) => key.startsWith(prefix));

test('what is exported is imported, with a summary of both', async () => {
  const out = await state(['export', job, 's3://lake/out']);
  expect(out).toMatchObject({ code: 0, out: '' });
  expect(out.err).toMatch(/^Exported 40 objects, [\d.]+ KiB( in .*)?\.\n$/);
  expect((await below('out/')).filter((key) => key.startsWith('out/visits/'))).toHaveLength(40);
  const back = await state(['import', '--json', 's3://lake/out/', 's3://lake/sp']);
  expect(back).toMatchObject({ code: 0, err: '' });
  expect(records(back.out)).toEqual([
    {
      type: 'imported',
      objects: 40,
      bytes: expect.any(Number) as unknown,
      seconds: expect.any(Number) as unknown,
    },
  ]);
  const dump = async (place: string) => (await state(['dump', place, 'per-user', 'visits'])).out;
  expect(await dump('s3://lake/sp')).toBe(await dump(job));
});

test('one operator, and a configured folder', async () => {
  const set = ['--set', 'state.backend.s3.bucket=lake', '--set', 'state.backend.s3.base-path=base'];
  expect(await state(['export', ...set, '-o', 'per-user', '--quiet', job])).toMatchObject({
    code: 0,
    err: '',
  });
  expect(await below('base/state/')).toContain('base/state/_export.json');
});

test('encryption of state applies to what is written', async () => {
  const set = ['--set', 'state.backend.s3.state-file-encryption=true', '--quiet'];
  const asked: unknown[] = [];
  written = (headers) => asked.push(headers['x-amz-server-side-encryption']);
  expect(await state(['export', ...set, job, 's3://lake/out'])).toMatchObject({ code: 0, err: '' });
  expect(await state(['import', ...set, 's3://lake/out', 's3://lake/sp'])).toMatchObject({
    code: 0,
    err: '',
  });
  expect(asked).toHaveLength(44);
  expect(new Set(asked)).toEqual(new Set(['AES256']));
});

test.each(['export', 'import'])('an %s that is interrupted is incomplete', async (command) => {
  await state(['export', job, 's3://lake/out']);
  const target = command === 'export' ? 'out2/' : 'sp/';
  const argv =
    command === 'export' ? [command, job, 's3://lake/out2'] : [command, 's3://lake/out', 's3://lake/sp'];
  const controller = new AbortController();
  let count = 0;
  written = () => {
    if (++count === (command === 'export' ? 5 : 1)) controller.abort(new Interrupted('SIGINT'));
  };
  const outcome = await state(argv, { interrupt: controller.signal });
  expect(outcome.code).toBe(130);
  expect(outcome.err).toMatch(/incomplete: remove it before you repeat the command\.\n/);
  written = () => undefined;
  const left = await below(target);
  expect(left.some((key) => /_export\.json$|root$/.test(key))).toBe(false);
  expect(left.length).toBeGreaterThan(0);
  expect(await state(argv)).toMatchObject({ code: 2 });
  if (command === 'export') {
    const again = await state(['import', 's3://lake/out2', 's3://lake/sp']);
    expect(again).toMatchObject({ code: 1 });
    expect(again.err).toMatch(/^millrace: ExportIncomplete: /);
  }
  expect(await state([...argv.slice(0, -1), 's3://lake/other'])).toMatchObject({ code: 0 });
});

test.each<[string, string[], number, string, string]>([
  ['no folder', ['export', job], 2, 'Usage', 'state.exports.dir'],
  [
    'a folder with objects',
    ['export', job, 's3://lake/in'],
    2,
    'FolderNotEmpty',
    's3://lake/in/ has objects',
  ],
  ['no such job', ['export', 's3://lake/checkpoints/x', 's3://lake/out'], 3, 'StateNotFound', 'are visits'],
  ['no such operator', ['export', '-o', 'x', job, 's3://lake/out'], 3, 'StateNotFound', 'are per-user'],
  ['no export', ['import', 's3://lake/none', 's3://lake/sp'], 3, 'StateNotFound', 'no exported state'],
  [
    'a folder that is none',
    ['import', 's3://lake/in', 's3://lake/sp'],
    1,
    'ExportIncomplete',
    '_export.json',
  ],
  ['wildcards', ['import', 's3://lake/*', 's3://lake/sp'], 2, 'Usage', 'wildcards'],
  ['too few arguments', ['import', 's3://lake/out'], 2, 'Usage', 'savepoint'],
])('%s is an error', async (_, argv, code, name, what) => {
  const before = await keys(lake);
  const outcome = await state(argv);
  expect(outcome).toMatchObject({ code, out: '' });
  expect(outcome.err).toMatch(new RegExp(`^millrace: ${name}: [^\\n]*${what}[^\\n]*\\n$`));
  const json = await state(['--json', ...argv]);
  expect(records(json.err)).toEqual([
    { type: 'error', code: name, exitCode: code, message: expect.stringContaining(what) as unknown },
  ]);
  expect(await keys(lake)).toEqual(before);
});

test('their help has examples', async () => {
  for (const command of ['export', 'import']) {
    const { code, out } = await state([command, '--help']);
    expect(code).toBe(0);
    expect(out).toContain(`millrace state ${command} `);
  }
});
