import { concat, connect, map, of, type OperatorFunction } from 'rxjs';
import {
  createJob,
  fileSink,
  files,
  mergeFlows,
  ndjson,
  records,
  stopOn,
  type Flow,
  type JobOptions,
} from '../../src/index.js';
import { openStores } from '../../src/entries/stores.js';
import { Lake } from './harness.js';

interface Row {
  readonly n: number;
}

const base: JobOptions = { name: 'test', checkpoints: { dir: 'memory://lake/checkpoints' } };

describe('createJob rejects an invalid value with the name of its option', () => {
  test.each<[string, object]>([
    ['name', { name: undefined }],
    ['name', { name: 5 }],
    ['name', { name: '..' }],
    ['checkpoints.mode', { checkpoints: { ...base.checkpoints, mode: 'exactly_once' } }],
    ['checkpoints.fencing', { checkpoints: { ...base.checkpoints, fencing: 'None' } }],
    ['checkpoints.fencing', { checkpoints: { ...base.checkpoints, fencing: false } }],
    ['restart.multiplier', { restart: { multiplier: '2' } }],
    ['restart.multiplier', { restart: { multiplier: Infinity } }],
    ['restart.jitter', { restart: { jitter: '0.5' } }],
    ['restart.max', { restart: { max: 3 } }],
    ['checkpoints.dir', { checkpoints: { dir: 5 } }],
    ['clock', { clock: { now: Date.now } }],
    ['clock', { clock: null }],
    ['logger', { logger: { warn: () => undefined } }],
    ['random', { random: 0.5 }],
    ['stores', { stores: {} }],
    ['config', { config: {} }],
  ])('%s: %o', (option, override) => {
    expect(() => createJob({ ...base, ...override })).toThrow(
      expect.objectContaining({
        code: 'InvalidOption',
        message: expect.stringContaining(option) as string,
      }) as Error,
    );
  });
});

test('openStores rejects an invalid logger', () => {
  expect(() => openStores({ logger: {} as never })).toThrow(
    expect.objectContaining({ code: 'InvalidOption' }) as Error,
  );
});

test('stopOn rejects signals that no process can handle', () => {
  for (const signals of [['sigterm'], ['SIGTERM', 'SIGNOPE'], ['SIGKILL'], []])
    expect(() => stopOn(...(signals as NodeJS.Signals[]))).toThrow(
      expect.objectContaining({ code: 'InvalidOption' }) as Error,
    );
  expect(process.listenerCount('SIGTERM')).toBe(0);
});

test('a logger that throws stops nothing', async () => {
  const lake = new Lake();
  lake.put('raw/a.ndjson', [{ n: 1 }]);
  let calls = 0;
  const log = (): never => {
    calls++;
    throw new Error('The log is closed');
  };
  const { job } = lake.job({ logger: { debug: log, info: log, warn: log, error: log } });
  const flow = job
    .source('raw', files('memory://lake/raw/', { format: ndjson<Row>() }))
    .pipe(fileSink<Row>('out', 'memory://lake/out', { format: ndjson() }));
  expect(await lake.run(job, flow)).toEqual({ outcome: 'finished' });
  expect(lake.lines('out')).toEqual([{ n: 1 }]);
  expect(calls).toBeGreaterThan(0);
});

const invalid = expect.objectContaining({ code: 'InvalidOption' }) as Error;

test('an invalid stop signal is rejected before the job runs', async () => {
  for (const signal of [{}, new AbortController(), 'SIGTERM', null])
    await expect(createJob(base).run(of(1), { signal: signal as never })).rejects.toEqual(invalid);
});

test('an invalid operator, flow or schema is rejected where it is passed', () => {
  expect(() => records(5 as never)).toThrow(invalid);
  expect(() => records(map(String), undefined as unknown as OperatorFunction<string, string>)).toThrow(
    invalid,
  );
  expect(() => mergeFlows([of(1)] as unknown as Flow<number>)).toThrow(invalid);
  for (const schema of [{}, null, (value: unknown) => value, { '~standard': {} }])
    expect(() => ndjson({ schema: schema as never })).toThrow(invalid);
});

test('a branch that is subscribed after the end of the flow fails the job', async () => {
  const lake = new Lake();
  lake.put('raw/a.ndjson', [{ n: 1 }]);
  const { job } = lake.job();
  const out = (id: string) => fileSink<Row>(id, `memory://lake/${id}`, { format: ndjson() });
  const flow = job.source('raw', files('memory://lake/raw/', { format: ndjson<Row>() }));
  const leaf = flow.pipe(connect((shared) => concat(shared.pipe(out('a')), shared.pipe(out('b')))));
  await expect(lake.run(job, leaf)).rejects.toMatchObject({
    code: 'NotOpened',
    message: expect.stringContaining('Subscribe all branches') as string,
  });
});

test.each(['/tmp/checkpoints', 'checkpoints', 'C:\\checkpoints'])('a path is not a URI: %s', (path) => {
  const advice = expect.objectContaining({
    code: 'InvalidUri',
    message: expect.stringContaining('fileUri(path)') as unknown,
  }) as unknown as Error;
  expect(() => createJob({ ...base, checkpoints: { dir: path } })).toThrow(advice);
  expect(() => fileSink('out', path, { format: ndjson() })).toThrow(advice);
  expect(() => files(path, { format: ndjson() })).toThrow(advice);
});

test('options that do not exist are refused with those that do', () => {
  const message = (override: object): string => {
    try {
      createJob({ ...base, ...override });
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  expect(message({ retry: { max: 3 } })).toMatch(
    'retry is not an option. The options are name, checkpoints, restart',
  );
  expect(message({ s3: { retry: { max: 3 } } })).toMatch('s3.retry.max is not an option');
  expect(message({ restart: { max: 3 } })).toMatch('The option for their number is attempts');
});
