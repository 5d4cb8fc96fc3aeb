import { createJob, fileSink, files, ndjson, openStores, stopOn, type JobOptions } from '../../src/index.js';
import { Lake } from './harness.js';

const base: JobOptions = { name: 'test', checkpoints: { dir: 'memory://lake/checkpoints' } };

describe('a value that createJob cannot use is refused, with the name of its option', () => {
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

test('openStores refuses what is no logger', () => {
  expect(() => openStores({ logger: {} as never })).toThrow(
    expect.objectContaining({ code: 'InvalidOption' }) as Error,
  );
});

test('stopOn refuses what no process can listen to', () => {
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
    .source('raw', files('memory://lake/raw/', { format: ndjson() }))
    .pipe(fileSink('out', 'memory://lake/out', { format: ndjson() }));
  expect(await lake.run(job, flow)).toEqual({ outcome: 'finished' });
  expect(lake.lines('out')).toEqual([{ n: 1 }]);
  expect(calls).toBeGreaterThan(0);
});
