import fc from 'fast-check';
import { lastValueFrom } from 'rxjs';
import { checkOptions } from '../../src/config/checkOptions.js';
import { createFs } from '../../src/fs/promises/index.js';
import { createOperations } from '../../src/fs/operations/index.js';
import {
  createJob,
  files,
  fileSink,
  keyed,
  loadConfig,
  ndjson,
  valueState,
  type Flow,
} from '../../src/index.js';
import {
  createLocalStore,
  createMemoryStore,
  createStores,
  delegationTokens,
  observed,
  openStores,
  retrying,
  S3Connection,
} from '../../src/entries/stores.js';
import { delayed, faulty, startGateway } from '../../src/testing/index.js';
import { InvalidOption } from '../../src/entries/operators.js';
import { openTelemetry } from '../../src/store/observe/openTelemetry.js';

type Slip = Readonly<Record<string, unknown>>;

const dir = 'memory://slips/checkpoints';
const job = (options: Slip = {}) => createJob({ name: 'slips', checkpoints: { dir }, ...options });
const format = ndjson<string>();
const store = createMemoryStore();
const stores = createStores();
const operations = createOperations({ stores });
const at = 'memory://slips/a';

/** Returns what a call throws or rejects with. */
async function failure(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A call for each object of options, with a misspelled option and the expected message. */
const slips: readonly (readonly [string, (options: Slip) => unknown, Slip, string])[] = [
  ['createJob', job, { checkpoint: {} }, 'createJob: checkpoint is not an option. Did you mean checkpoints?'],
  [
    'checkpoints',
    (of) => job({ checkpoints: { dir, ...of } }),
    { intervall: '10s' },
    'checkpoints.interval?',
  ],
  [
    'restart',
    (of) => job({ restart: of }),
    { maxAttempts: 3 },
    'createJob: restart.maxAttempts is not an option. Did you mean restart.attempts?',
  ],
  [
    's3',
    (of) => job({ s3: of }),
    { endPoint: 'http://127.0.0.1' },
    'createJob: s3.endPoint is not an option. Did you mean s3.endpoint?',
  ],
  ['s3.retry', (of) => job({ s3: { retry: of } }), { retries: 3 }, 's3.retry.maxRetries?'],
  ['s3.sse', (of) => job({ s3: { sse: of } }), { typ: 'sse-s3' }, 's3.sse.type?'],
  ['s3.sse.kms', (of) => job({ s3: { sse: { kms: of } } }), { keyID: 'alias/lake' }, 's3.sse.kms.keyId?'],
  ['s3.assumeRole', (of) => job({ s3: { assumeRole: of } }), { ARN: 'a' }, 's3.assumeRole.arn?'],
  ['s3.buckets', (of) => job({ s3: { buckets: { lake: of } } }), { regoin: 'x' }, 's3.buckets.lake.region?'],
  [
    'run',
    (of) => job().run(of),
    { abort: 'signal' },
    'job.run: abort is not an option. The options are signal.',
  ],
  [
    'files',
    (of) => files(at, { format, ...of }),
    { onMalform: 'skip' },
    'files: onMalform is not an option. Did you mean onMalformed?',
  ],
  ['files.prefetch', (of) => files(at, { format, prefetch: of }), { windows: 1 }, 'prefetch.window?'],
  [
    'fileSink',
    (of) => fileSink('out', at, { format, ...of }),
    { partitionby: String },
    "fileSink 'out': partitionby is not an option. Did you mean partitionBy?",
  ],
  ['fileSink.roll', (of) => fileSink('out', at, { format, roll: of }), { sizes: 1 }, 'roll.size?'],
  ['fileSink.naming', (of) => fileSink('out', at, { format, naming: of }), { prefx: 'a' }, 'naming.prefix?'],
  [
    'keyed',
    (of) => keyed('k', { key: (v: string) => v, state: { n: valueState(0) }, onRecord: () => [], ...of }),
    { onrecord: () => [] },
    "keyed 'k': onrecord is not an option. Did you mean onRecord?",
  ],
  ['ndjson', (of) => ndjson(of), { shema: {} }, 'ndjson: shema is not an option. Did you mean schema?'],
  ['valueState', (of) => valueState(0, of), { serialiser: {} }, 'serializer?'],
  [
    'loadConfig',
    (of) => loadConfig({ env: {}, file: false, ...of }),
    { checkpoint: { interval: 1 } },
    'checkpoint',
  ],
  ['openStores', (of) => openStores(of), { region: 'x' }, 'openStores: region is not an option.'],
  ['openStores.s3', (of) => openStores({ s3: of }), { maxSocket: 1 }, 's3.maxSockets?'],
  [
    'S3Connection',
    (of) => new S3Connection(of),
    { accesKey: 'a' },
    'S3Connection: accesKey is not an option.',
  ],
  ['createStores', (of) => createStores(of), { scheme: {} }, 'schemes?'],
  ['createMemoryStore', (of) => createMemoryStore(of), { url: 'a' }, 'uri?'],
  ['createLocalStore', (of) => createLocalStore('/tmp', of), { durables: true }, 'durable?'],
  ['startGateway', (of) => startGateway({ credentials: [], ...of }), { bucket: {} }, 'buckets?'],
  ['observed', (of) => observed(store, of), { log: console }, 'logger?'],
  ['retrying', (of) => retrying(store, of), { retrys: 1 }, 'retries?'],
  ['delayed', (of) => delayed(store, { before: () => 1, ...of }), { clok: 1 }, 'clock?'],
  ['faulty', (of) => faulty(store, { random: Math.random, ...of }), { delay: 1 }, 'delayed?'],
  ['delegationTokens', (of) => delegationTokens(of), { durations: 1 }, 'duration?'],
  ['openTelemetry', (of) => openTelemetry(of), { trace: 'none' }, 'tracer?'],
  ['createOperations', (of) => createOperations(of), { store }, 'stores?'],
  [
    'list',
    (of) => lastValueFrom(operations.list(at, of)),
    { paces: 1 },
    'list: paces is not an option. Did you mean pace?',
  ],
  ['walk', (of) => lastValueFrom(operations.walk(at, of)), { paces: 1 }, 'pace?'],
  ['remove', (of) => lastValueFrom(operations.remove(at, of)), { recursiv: true }, 'recursive?'],
  [
    'copy',
    (of) => lastValueFrom(operations.copy(at, at, of)),
    { overwrit: true },
    'copy: overwrit is not an option. Did you mean overwrite?',
  ],
  [
    'move',
    (of) => lastValueFrom(operations.move(at, at, of)),
    { overwrit: true },
    'move: overwrit is not an option.',
  ],
  ['bulkCopy', (of) => lastValueFrom(operations.bulkCopy([], of)), { concurency: 1 }, 'concurrency?'],
  [
    'bulkCopy pair',
    (of) => lastValueFrom(operations.bulkCopy({ from: at, to: at, ...of })),
    { too: at },
    'to?',
  ],
  ['read', (of) => lastValueFrom(operations.read(at, of)), { ranges: 1 }, 'range?'],
  ['write', (of) => lastValueFrom(operations.write(at, '', of)), { ifmatch: 'e' }, 'ifMatch?'],
  [
    'abortUploads',
    (of) => lastValueFrom(operations.abortUploads(at, of as never)),
    { olderthan: 1 },
    'olderThan?',
  ],
  ['createFs', (of) => createFs(of), { conf: 1 }, 'config?'],
];

test.each(slips)(
  '%s refuses an option that does not exist, and suggests one',
  async (_, call, slip, says) => {
    const error = await failure(() => call(slip));
    expect(error).toMatchObject({ retryable: false, message: expect.stringContaining(says) as string });
    // What has an error of its own for configurations, which may hold many mistakes.
    if ((error as { code: string }).code !== 'InvalidConfig') expect(error).toBeInstanceOf(InvalidOption);
  },
);

const flow = undefined as unknown as Flow<string>;
const wrong: readonly (readonly [string, () => unknown, string])[] = [
  ['createJob()', () => createJob(undefined as never), 'the options of createJob: undefined is not allowed'],
  ['checkpoints', () => job({ checkpoints: 'memory://cp' }), 'createJob: checkpoints'],
  ['restart', () => job({ restart: 'never' }), 'createJob: restart'],
  ['files(uri)', () => files(at, undefined as never), 'the options of files: undefined is not allowed'],
  [
    'files() format',
    () => files(at, {} as never),
    'files: format: undefined is not allowed. It must be a format such as ndjson()',
  ],
  [
    'a format that was not called',
    () => files(at, { format: ndjson as never }),
    'files: format: a function is not allowed',
  ],
  ['files() policy', () => files(at, { format, onMalformed: 'ignore' as never }), 'files: onMalformed'],
  ['files()', () => files(undefined as never, { format }), 'files(uri): undefined'],
  [
    'fileSink(id, uri)',
    () => fileSink('out', at, undefined as never),
    "the options of fileSink 'out': undefined",
  ],
  ['fileSink(id)', () => fileSink('out', undefined as never, { format }), "fileSink 'out': uri: undefined"],
  ['fileSink()', () => fileSink(undefined as never, at, { format }), 'the id of fileSink: undefined'],
  ['fileSink() format', () => fileSink('out', at, {} as never), "fileSink 'out': format: undefined"],
  [
    'fileSink() partitionBy',
    () => fileSink('out', at, { format, partitionBy: 'day' as never }),
    "fileSink 'out': partitionBy: 'day'",
  ],
  ['keyed(id)', () => keyed('k', undefined as never), "the options of keyed 'k': undefined"],
  ['job.source(id)', () => job().source('in', undefined as never), "job.source('in', source): undefined"],
  [
    'job.source()',
    () => job().source(undefined as never, files(at, { format })),
    'job.source(id): undefined',
  ],
  ['job.run(signal)', () => job().run(new AbortController().signal as never), 'It must be { signal }'],
  ['job.run(undefined)', () => job().run(flow), 'an argument of job.run: undefined'],
  [
    'abortUploads()',
    () => lastValueFrom(operations.abortUploads(at, undefined as never)),
    'the options of abortUploads',
  ],
];

test.each(wrong)(
  '%s: an option that is missing or of the wrong type is an error that names it',
  async (_, call, says) => {
    const error = await failure(call);
    expect(error).toBeInstanceOf(InvalidOption);
    expect(error).toHaveProperty('message', expect.stringContaining(says));
  },
);

test('exactly the options with a value and an unknown name are refused', () => {
  const names = { alpha: true, beta: true, constructor: true } as const;
  const name = fc.oneof(fc.constantFrom(...Object.keys(names)), fc.string());
  fc.assert(
    fc.property(fc.dictionary(name, fc.option(fc.anything(), { nil: undefined })), (options) => {
      const strange = Object.entries(options).some(
        ([each, value]) => value !== undefined && !Object.hasOwn(names, each),
      );
      const check = (): void => checkOptions<object>('f', options, names);
      if (strange) expect(check).toThrow(InvalidOption);
      else expect(check).not.toThrow();
    }),
  );
});
