import { crc32 } from 'node:zlib';
import { toArray } from 'rxjs';
import { listAll, type ObjectStore } from '../../src/entries/stores.js';
import {
  fileSink,
  files,
  keyed,
  loadConfig,
  ndjson,
  valueState,
  type JobEvent,
  type JobOptions,
  type MillraceError,
} from '../../src/index.js';
import { Lake, now } from './harness.js';

interface Visit {
  readonly user: string;
  readonly n: number;
}
interface Counted extends Visit {
  readonly count: number;
}

const visits: readonly Visit[] = Array.from({ length: 4000 }, (_, n) => ({ user: `user-${n % 7}`, n }));

function lakeOf(): Lake {
  const lake = new Lake();
  lake.put('raw/a.ndjson', visits);
  return lake;
}

interface Counting extends Partial<JobOptions> {
  readonly set?: Readonly<Record<string, string>>;
  readonly out?: string;
  /** The id of the keyed operator. */
  readonly id?: string;
  /** Called with each record. */
  readonly each?: (visit: Visit) => unknown;
}

/** Counts visits by user. */
function counting(lake: Lake, { set = {}, out = 'out', id = 'per-user', each, ...options }: Counting = {}) {
  const config = loadConfig({ env: {}, file: false, set });
  const { job, events } = lake.job({ config, budget: 5000, ...options });
  const leaf = job
    .source('raw', files('memory://lake/raw/*', { format: ndjson<Visit>(), prefetch: { fragment: 5000 } }))
    .pipe(
      keyed(id, {
        key: ({ user }) => user,
        state: { count: valueState(0) },
        onRecord: (visit, { count }) => {
          each?.(visit);
          return [{ ...visit, count: count.update((before) => before + 1) }];
        },
      }),
      fileSink('out', `memory://lake/${out}`, { format: ndjson() }),
    );
  return {
    job,
    events,
    run: (options: { readonly signal?: AbortSignal } = {}) => lake.run(job, leaf, options),
  };
}

/** Runs a job that is asked for a savepoint at record 150. */
async function savepointOf(
  lake: Lake,
  options: { readonly stop?: boolean; readonly dir?: string } = {},
  more: Counting = {},
): Promise<{ readonly uri: string; readonly outcome: string; readonly events: readonly JobEvent[] }> {
  const { stop = true, dir = 'memory://lake/savepoints' } = options;
  let made: Promise<string> | undefined;
  const { job, events, run } = counting(lake, {
    each: ({ n }) => {
      if (n === 150) made = job.savepoint(dir, { stop });
    },
    ...more,
  });
  const { outcome } = await run();
  return { uri: (await made) ?? '', outcome, events };
}

const keysOf = (store: ObjectStore, prefix = ''): string[] =>
  now(listAll(store, prefix).pipe(toArray()))
    .flat()
    .map(({ key }) => key);

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error as MillraceError).code,
  );

function expectExact(lines: readonly unknown[]): void {
  const counted = lines as readonly Counted[];
  expect(counted.map(({ n }) => n).sort((a, b) => a - b)).toEqual(visits.map(({ n }) => n));
  for (const { n, count } of counted) expect(count).toBe(Math.floor(n / 7) + 1);
}

test.each(['checkpoints', 'checkpoints/test/data', 'checkpoints/test/'])(
  'no savepoint is made in the checkpoint directory, where the job would remove it: %s',
  async (dir) => {
    const lake = lakeOf();
    let made: Promise<unknown> = Promise.resolve();
    const { job, run } = counting(lake, {
      each: ({ n }) => {
        if (n === 1000)
          made = job.savepoint(`memory://lake/${dir}`, { stop: true }).catch((error: unknown) => error);
      },
    });
    expect(await run()).toEqual({ outcome: 'finished' });
    expect(await made).toMatchObject({
      code: 'InvalidOption',
      message: expect.stringMatching(/^job\.savepoint\(uri\): .* is in the checkpoint directory/) as string,
    });
  },
);

test('another job continues from a savepoint at which the first one stopped: every record once, with its state', async () => {
  const lake = lakeOf();
  const { uri, outcome } = await savepointOf(lake);
  expect(outcome).toBe('stopped');
  expect(uri).toMatch(/^memory:\/\/lake\/savepoints\/savepoint-test-\d{8}T\d{6}Z-[a-z0-9]{6}$/);
  const before = lake.lines('out/');
  expect(before.length).toBeGreaterThan(150);
  expect(before.length).toBeLessThan(visits.length);

  const second = counting(lake, { name: 'second', from: uri, out: 'out2' });
  expect(await second.run()).toEqual({ outcome: 'finished' });
  expect(second.events.find(({ type }) => type === 'running')).toMatchObject({ epoch: 1, checkpoint: 1 });
  expectExact([...before, ...lake.lines('out2/')]);
});

test('the log that begins with a savepoint is a new one: another id, epoch 1, and objects of its own', async () => {
  const lake = lakeOf();
  const first = await savepointOf(lake);
  const second = counting(lake, { name: 'second', from: first.uri, out: 'out2', random: Math.random });
  let copied: string[] = [];
  second.job.events$.subscribe(({ type }) => {
    if (type === 'running') copied = keysOf(lake.store, 'checkpoints/second/data/');
  });
  await second.run();
  const idsOf = (events: readonly JobEvent[]) =>
    events.flatMap((event) => (event.type === 'running' ? [{ jobId: event.jobId, epoch: event.epoch }] : []));
  const [before, after] = [idsOf(first.events), idsOf(second.events)];
  expect([...before, ...after].map(({ epoch }) => epoch)).toEqual([1, 1]);
  expect(after[0]?.jobId).not.toBe(before[0]?.jobId);
  // Epoch 0 is that of no attempt.
  const folder = `checkpoints/second/data/0000000000/${before[0]?.jobId ?? ''}/`;
  expect(copied).not.toEqual([]);
  expect(copied.filter((key) => !key.startsWith(folder))).toEqual([]);
});

test('a job that makes a savepoint continues; a job that starts from it repeats what comes after', async () => {
  const lake = lakeOf();
  const { uri, outcome } = await savepointOf(lake, { stop: false });
  expect(outcome).toBe('finished');
  expectExact(lake.lines('out/'));
  const second = counting(lake, { name: 'second', from: uri, out: 'out2' });
  await second.run();
  const numbers = (lake.lines('out2/') as Counted[]).map(({ n }) => n);
  expect(numbers.length).toBeGreaterThan(0);
  expect(Math.min(...numbers)).toBeGreaterThan(150);
  expect(Math.max(...numbers)).toBe(3999);
});

test('nothing in a savepoint refers to the job: moved to another bucket, it is started from when the rest is gone', async () => {
  const lake = lakeOf();
  const { uri } = await savepointOf(lake);
  const before = lake.lines('out/');
  const folder = uri.replace('memory://lake/', '');
  for (const key of keysOf(lake.store, `${folder}/`)) {
    const bytes = Buffer.concat(now(lake.store.get(key)).chunks);
    if (key.endsWith('/root'))
      expect(bytes.toString()).not.toMatch(/checkpoints|savepoints|memory:\/\/lake\/out/);
    lake.store.put(key.replace(folder, 'moved/here'), bytes).subscribe();
  }
  lake.store
    .delete([...keysOf(lake.store, 'checkpoints/'), ...keysOf(lake.store, 'savepoints/')])
    .subscribe();
  const second = counting(lake, { from: 'memory://lake/moved/here/', out: 'out2' });
  await second.run();
  expectExact([...before, ...lake.lines('out2/')]);
});

test('a job whose `from` is still set continues from its own newest checkpoint, when the savepoint is gone', async () => {
  const lake = lakeOf();
  const { uri } = await savepointOf(lake);
  const before = lake.lines('out/');
  const stop = new AbortController();
  const options = { name: 'second', from: uri, out: 'out2' };
  const second = counting(lake, { ...options, each: ({ n }) => n === 2500 && stop.abort() });
  expect(await second.run({ signal: stop.signal })).toEqual({ outcome: 'stopped' });
  lake.store.delete(keysOf(lake.store, 'savepoints/')).subscribe();
  const third = counting(lake, { ...options, from: `${uri}/` });
  expect(await third.run()).toEqual({ outcome: 'finished' });
  expect(third.events.find(({ type }) => type === 'running')).toMatchObject({ epoch: 2 });
  expectExact([...before, ...lake.lines('out2/')]);
});

test('a job that has begun otherwise is not started from a savepoint', async () => {
  const lake = lakeOf();
  const { uri } = await savepointOf(lake);
  const log = keysOf(lake.store, 'checkpoints/');
  expect(await codeOf(counting(lake, { from: uri }).run())).toBe('AlreadyStarted');
  expect(keysOf(lake.store, 'checkpoints/')).toEqual(log);
});

test('state that no operator claims is an error that names it, unless it may be dropped', async () => {
  const lake = lakeOf();
  const { uri } = await savepointOf(lake);
  const without = { name: 'second', from: uri, out: 'out2', id: 'other' };
  await expect(counting(lake, without).run()).rejects.toMatchObject({
    code: 'VanishedOperator',
    message: expect.stringContaining("'per-user'") as string,
  });
  // The log holds the claim of the start that failed.
  const dropped = counting(lake, { ...without, allowDropped: ['per-user'] });
  expect(await dropped.run()).toEqual({ outcome: 'finished' });

  const ignoring = {
    ...without,
    name: 'third',
    set: { 'execution.savepoint.ignore-unclaimed-state': 'true' },
  };
  expect(await codeOf(counting(lake, { ...ignoring, set: {} }).run())).toBe('VanishedOperator');
  expect(await counting(lake, ignoring).run()).toEqual({ outcome: 'finished' });
  // Once the job has a checkpoint of its own, a vanished operator is an error as ever.
  expect(await codeOf(counting(lake, { ...ignoring, id: 'another' }).run())).toBe('VanishedOperator');
});

test.each([
  ['there is none', 'SavepointNotFound', (keys: string[]) => keys],
  [
    'the root is missing',
    'SavepointIncomplete',
    (keys: string[]) => keys.filter((key) => key.endsWith('/root')),
  ],
  [
    'an object is missing',
    'SavepointCorrupt',
    (keys: string[]) => keys.filter((key) => key.endsWith('.state')),
  ],
])('nothing is begun where %s', async (_, code, gone) => {
  const lake = lakeOf();
  const { uri } = await savepointOf(lake);
  lake.store.delete(gone(keysOf(lake.store, 'savepoints/'))).subscribe();
  expect(await codeOf(counting(lake, { name: 'second', from: uri }).run())).toBe(code);
  expect(keysOf(lake.store, 'checkpoints/second/')).toEqual([]);
});

test('an object with another size is found before anything is begun', async () => {
  const lake = lakeOf();
  const { uri } = await savepointOf(lake);
  const [segment = ''] = keysOf(lake.store, 'savepoints/').filter((key) => key.endsWith('.state'));
  lake.store.put(segment, Buffer.from('short')).subscribe();
  expect(await codeOf(counting(lake, { name: 'second', from: uri }).run())).toBe('SavepointCorrupt');
});

test('a job with a key signs its savepoints, and starts from no others', async () => {
  const lake = lakeOf();
  const sign = { keys: 'k'.repeat(32) };
  const signed = await savepointOf(lake, {}, { checkpoints: { sign } });
  const unsigned = await savepointOf(lake, {}, { name: 'unsigned', out: 'out1' });
  const start = (from: string, name: string, keys: string): Promise<string> =>
    codeOf(counting(lake, { name, from, out: name, checkpoints: { sign: { keys } } }).run());
  expect(await start(signed.uri, 'a', sign.keys)).toBe('none');
  expect(await start(signed.uri, 'b', 'x'.repeat(32))).toBe('ManifestNotTrusted');
  expect(await start(unsigned.uri, 'c', sign.keys)).toBe('ManifestNotTrusted');
});

test('a savepoint is refused before a job runs, after its end, and by a wrong option', async () => {
  const lake = lakeOf();
  const { job, run } = counting(lake);
  expect(await codeOf(job.savepoint('memory://lake/savepoints'))).toBe('NotRunning');
  await run();
  expect(await codeOf(job.savepoint('memory://lake/savepoints'))).toBe('NotRunning');
  expect(await codeOf(job.savepoint())).toBe('InvalidOption');
  expect(await codeOf(job.savepoint('nowhere'))).toBe('InvalidUri');
  expect(await codeOf(job.savepoint('memory://lake/s', { halt: true } as never))).toBe('InvalidOption');
});

test('savepoints asked for together are made one after another', async () => {
  const lake = lakeOf();
  const made: Promise<string>[] = [];
  const { job, run, events } = counting(lake, {
    random: Math.random,
    each: ({ n }) => {
      if (n === 150) for (let i = 0; i < 3; i++) made.push(job.savepoint('memory://lake/savepoints'));
    },
  });
  await run();
  const codes = await Promise.all(made.map(codeOf));
  // The input may be over before all of them are made.
  expect(codes).toEqual(['none', ...codes.slice(1)]);
  expect(codes.every((code) => code === 'none' || code === 'SavepointFailed')).toBe(true);
  const types = events.map(({ type }) => type).filter((type) => type.startsWith('savepoint-'));
  expect(types).toEqual(codes.map((code) => (code === 'none' ? 'savepoint-made' : 'savepoint-failed')));
});

describe('with entropy', () => {
  const entropic = (length: number, random: () => number = Math.random): Counting => ({
    set: { 's3.entropy.key': '_e_', 's3.entropy.length': String(length) },
    checkpoints: { dir: 'memory://lake/_e_/checkpoints' },
    random,
  });

  test.each([
    ['in both jobs', true, true],
    ['in the first job', true, false],
    ['in the second job', false, true],
  ])('%s: every record once, with its state, and nothing is left', async (_, first, second) => {
    const lake = lakeOf();
    const { uri } = await savepointOf(lake, {}, first ? entropic(6) : { random: Math.random });
    const before = lake.lines('out/');
    const options: Counting = {
      ...(second ? entropic(6) : { random: Math.random }),
      ...{ name: 'second', from: uri, out: 'out2' },
    };
    const own = second ? /^[a-z0-9]{6}\/checkpoints\/second\/data\// : /^checkpoints\/second\/data\//;
    // A start that died has copied an object that nothing names.
    const left = 'checkpoints/second/data/0000000000/abcdefghijkl/0000000001/left.state';
    now(lake.store.put(left, Buffer.from('x')));
    const stop = new AbortController();
    const job = counting(lake, { ...options, each: ({ n }) => n === 2500 && stop.abort() });
    expect(await job.run({ signal: stop.signal })).toEqual({ outcome: 'stopped' });
    expect(keysOf(lake.store)).not.toContain(left);
    const data = keysOf(lake.store).filter((key) => key.includes('/second/data/'));
    expect(data.some((key) => own.test(key))).toBe(true);
    expect(await counting(lake, options).run()).toEqual({ outcome: 'finished' });
    expectExact([...before, ...lake.lines('out2/')]);
  });

  test('what was copied has none in its key, even if the id of the job is a value of it', async () => {
    const lake = lakeOf();
    // Both are drawn as 12 times the same character.
    const { uri } = await savepointOf(lake, {}, { random: () => 0.5 });
    const [segment = ''] = keysOf(lake.store, 'savepoints/').filter((key) => key.endsWith('.state'));
    const id = segment.split('/')[4] ?? '';
    const before = lake.lines('out/');
    // Values of entropy are drawn from a smaller alphabet than ids.
    const value = id.charAt(0).toLowerCase();
    const root = segment.replace(/data\/.*/, 'root');
    const text = Buffer.concat(now(lake.store.get(root)).chunks).toString();
    expect(text).toContain(id);
    const renamed = text.slice(text.indexOf('\n') + 1).replaceAll(id, value.repeat(12));
    const bytes = Buffer.from(renamed);
    const header = `millrace-savepoint 1 ${crc32(bytes).toString(16).padStart(8, '0')}\n`;
    now(lake.store.put(root, Buffer.concat([Buffer.from(header), bytes])));
    now(lake.store.copy(segment, segment.replace(id, value.repeat(12))));
    const at = 'abcdefghijklmnopqrstuvwxyz0123456789'.indexOf(value) / 36 + 0.001;
    const second = counting(lake, { ...entropic(12, () => at), name: 'second', from: uri, out: 'out2' });
    expect(await second.run()).toEqual({ outcome: 'finished' });
    expectExact([...before, ...lake.lines('out2/')]);
  });

  test('the URI of a savepoint may have the marker, then as well as later', async () => {
    const lake = lakeOf();
    const options = entropic(6);
    const { uri } = await savepointOf(lake, { dir: 'memory://lake/_e_/savepoints' }, options);
    expect(keysOf(lake.store, 'savepoints/').some((key) => key.endsWith('/root'))).toBe(true);
    const second = { ...options, name: 'second', out: 'out2' };
    expect(await counting(lake, { ...second, from: uri }).run()).toEqual({ outcome: 'finished' });
    const plain = uri.replace('_e_/', '');
    expect(await counting(lake, { ...second, from: plain }).run()).toEqual({ outcome: 'finished' });
  });
});
