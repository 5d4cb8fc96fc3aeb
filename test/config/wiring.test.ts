import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createJob,
  fileSink,
  loadConfig,
  silentLogger,
  type JobOptions,
  type Logger,
  type S3Options,
} from '../../src/index.js';
import type { RowWriter } from '../../src/entries/operators.js';
import { standardErrorLogger } from '../../src/config/logger.js';
import { encryptBucket, mergeS3 } from '../../src/config/mergeS3.js';
import { resolveOptions } from '../../src/job/options.js';
import { flat, load } from './support.js';
import { MiB, ticks, World } from './effects/world.js';

const dir = { 'state.checkpoints.dir': 's3://lake/cp' };

describe('options of the job take precedence over the configuration', () => {
  const config = flat({
    ...dir,
    'execution.checkpointing.interval': '10s',
    'execution.checkpointing.mode': 'AT_LEAST_ONCE',
    'restart-strategy.exponential-delay.initial-backoff': '2s',
    'restart-strategy.exponential-delay.max-backoff': '1h',
    'execution.source-budget': '1MiB',
    's3.region': 'eu-west-1',
    's3.retry.base-delay': '5s',
    's3.connection.max': '7',
  });

  test('the configuration applies to options that are not set', () => {
    const options = resolveOptions({ name: 'test', config });
    expect(options).toMatchObject({
      checkpoints: { dir: 's3://lake/cp', intervalMs: 10_000, fencing: undefined },
      restart: { initial: 2000, max: 3_600_000, multiplier: 1.5 },
      budget: MiB,
      s3: { region: 'eu-west-1', maxSockets: 7 },
      config: { checkpoints: { mode: 'AT_LEAST_ONCE' } },
    });
  });

  test('options and keys are merged one by one', () => {
    const options = resolveOptions({
      name: 'test',
      config,
      checkpoints: {
        dir: 'file:///var/cp',
        interval: '1s',
        mode: 'EXACTLY_ONCE',
        timeout: undefined as never,
      },
      restart: { initial: '9s' },
      budget: '3MiB',
      s3: { region: 'eu-west-2', retry: { cap: '1m' } },
    });
    expect(options).toMatchObject({
      checkpoints: { dir: 'file:///var/cp', intervalMs: 1000 },
      restart: { initial: 9000, max: 3_600_000 },
      budget: 3 * MiB,
      s3: { region: 'eu-west-2', retry: { base: 5000, cap: '1m' }, maxSockets: 7 },
      config: { checkpoints: { mode: 'EXACTLY_ONCE' } },
    });
  });

  test('restarts can be turned off in the job and in the configuration', () => {
    const none = flat({ ...dir, 'restart-strategy.type': 'none' });
    expect(resolveOptions({ name: 'test', config, restart: 'none' }).restart.attempts).toBe(0);
    expect(resolveOptions({ name: 'test', config: none }).restart.attempts).toBe(0);
    expect(resolveOptions({ name: 'test', config: none, restart: {} }).restart.attempts).toBe(Infinity);
    expect(resolveOptions({ name: 'test', config, restart: { type: 'none' } }).restart.attempts).toBe(0);
    const exponential = { type: 'exponential-delay' } as const;
    expect(resolveOptions({ name: 'test', config: none, restart: exponential }).restart.attempts).toBe(
      Infinity,
    );
    expect(() => resolveOptions({ name: 'test', config, restart: { type: 'never' as never } })).toThrow(
      /restart\.type: 'never'.*'exponential-delay' or 'none'/,
    );
  });

  test('checkpoints are taken every 10 s, at another interval, or only at the end', () => {
    const interval = (given?: string, set = {}) =>
      resolveOptions({
        name: 'test',
        config: flat({ ...dir, ...set }),
        checkpoints: given === undefined ? {} : { interval: given },
      }).checkpoints.intervalMs;
    const none = { 'execution.checkpointing.interval': 'none' };
    expect(interval()).toBe(10_000);
    expect(interval('3s')).toBe(3000);
    expect(interval('none')).toBeUndefined();
    expect(interval(undefined, none)).toBeUndefined();
    expect(interval('3s', none)).toBe(3000);
  });

  test('the logger: of the job, else of the configuration, else standard error', () => {
    const logger: Logger = { ...console };
    const of = (options: Partial<JobOptions>) =>
      resolveOptions({ name: 'test', checkpoints: { dir: 'memory://cp' }, ...options }).logger;
    expect(of({})).toBe(standardErrorLogger);
    expect(of({ config: loadConfig({ env: {}, file: false }) })).toBe(standardErrorLogger);
    expect(of({ config: load({ logger }) })).toBe(logger);
    expect(of({ config: load({ logger }), logger: silentLogger })).toBe(silentLogger);
  });

  test('sinks use the configuration of their job', async () => {
    const world = new World();
    const job = world.job({ 's3.upload.min.part.size': '5MiB' });
    const format: RowWriter<number> = { extension: '.bin', encode: (n) => Buffer.alloc(MiB, n) };
    const sink = fileSink<number>('out', 'memory://lake/out', { format, partSize: '10MiB' });
    await world.run(job, [job.source('in', ticks(12, 0, MiB)).pipe(sink)]);
    expect(world.sizes('uploadPart')).toEqual([10 * MiB, 2 * MiB]);
  });
});

test('a job without a directory is refused, and the error says where to set one', () => {
  expect(() => createJob({ name: 'test', config: flat({}) })).toThrow(
    /checkpoints\.dir.*state\.checkpoints\.dir/s,
  );
});

test('a sink whose parts are large has the memory for two of them; a budget that is too small is refused when it opens', async () => {
  const failure = async (set: Readonly<Record<string, unknown>>): Promise<unknown> => {
    const world = new World();
    const job = world.job({ 's3.upload.min.part.size': '64MiB', ...set });
    const format: RowWriter<number> = { extension: '.bin', encode: () => 'x' };
    return world.run(job, [
      job.source('in', ticks(1, 0)).pipe(fileSink<number>('out', 'memory://lake/out', { format })),
    ]);
  };
  expect(await failure({})).toBeUndefined();
  expect(await failure({ 's3.upload.memory-budget': '64MiB' })).toMatchObject({
    code: 'InvalidOption',
    key: "fileSink 'out': budget",
  });
});

describe('createJob without a configuration uses that of the process', () => {
  const before = process.cwd();
  let cwd: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'millrace-wiring-'));
    process.chdir(cwd);
  });
  afterEach(() => {
    process.chdir(before);
    delete process.env['EXECUTION_CHECKPOINTING_INTERVAL'];
    rmSync(cwd, { recursive: true });
  });

  test('file and environment', () => {
    writeFileSync(
      'millrace.yaml',
      'state.checkpoints.dir: s3://lake/of-the-file\nexecution.checkpointing.interval: 5s',
    );
    process.env['EXECUTION_CHECKPOINTING_INTERVAL'] = '7s';
    expect(resolveOptions({ name: 'test' }).checkpoints).toMatchObject({
      dir: 's3://lake/of-the-file',
      intervalMs: 7000,
    });
  });

  test('a mistake there fails createJob', () => {
    writeFileSync('millrace.yaml', 's3.regoin: x');
    expect(() => createJob({ name: 'test', checkpoints: { dir: 's3://lake/cp' } })).toThrow(
      /millrace\.yaml, line 1.*s3\.region/,
    );
  });

  test('warnings go to the job’s logger', () => {
    writeFileSync('millrace.yaml', 's3.read.buffer.size: 1');
    const warned: string[] = [];
    const nothing = (): void => undefined;
    const logger = {
      debug: nothing,
      info: nothing,
      error: nothing,
      warn: (_: object, text: string) => warned.push(text),
    };
    createJob({ name: 'test', checkpoints: { dir: 's3://lake/cp' }, logger });
    expect(warned).toEqual([expect.stringContaining('s3.read.buffer.size')]);
  });
});

test('the logger of a configuration is used by its jobs, unless they have their own', () => {
  const nothing = (): void => undefined;
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  expect(resolveOptions({ name: 'test', config: load({ logger, set: dir }) }).logger).toBe(logger);
});

describe('merging options of S3', () => {
  const base: S3Options = {
    region: 'a',
    retry: { base: 1, cap: 2 },
    sse: { type: 'sse-kms', kms: { keyId: 'k' } },
    buckets: { x: { region: 'x', endpoint: 'http://x' }, y: { region: 'y' } },
  };

  test('groups are merged; encryption, roles and keys are replaced as a whole', () => {
    const over: S3Options = { retry: { cap: 3 }, sse: { type: 'sse-s3' }, buckets: { x: { region: 'z' } } };
    expect(mergeS3(base, over)).toEqual({
      region: 'a',
      retry: { base: 1, cap: 3 },
      sse: { type: 'sse-s3' },
      buckets: { x: { region: 'z', endpoint: 'http://x' }, y: { region: 'y' } },
    });
    expect(mergeS3(base, undefined)).toBe(base);
    expect(mergeS3({}, {})).toEqual({});
  });

  test('SSE-S3 for a bucket is added unless encryption is configured', () => {
    const sealed = { sse: { customerKeyFile: 'k' } };
    expect(encryptBucket(sealed, 's3://lake/cp')).toBe(sealed);
    const kept = { region: 'eu-west-1' };
    expect(encryptBucket({ buckets: { '*.lake': kept } }, 's3://eu.lake/cp')).toEqual({
      buckets: { '*.lake': kept, 'eu.lake': { ...kept, sse: { type: 'sse-s3' } } },
    });
    expect(encryptBucket({}, 's3://lake/cp')).toEqual({ buckets: { lake: { sse: { type: 'sse-s3' } } } });
    expect(encryptBucket(base, 's3://lake/cp')).toBe(base);
    expect(encryptBucket({}, 'file:///lake/cp')).toEqual({});
    expect(
      encryptBucket({ buckets: { lake: { region: 'x', sse: { type: 'none' } } } }, 's3://lake/cp').buckets?.[
        'lake'
      ]?.sse?.type,
    ).toBe('none');
  });
});
