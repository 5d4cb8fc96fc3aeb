import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig, type LoadOptions } from '../../src/config/index.js';

const MiB = 2 ** 20;

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-config-'));
});
afterEach(() => {
  rmSync(cwd, { recursive: true });
});

/** Nothing from this machine except what a test sets. */
function load(options: LoadOptions & { yaml?: string } = {}) {
  const { yaml, ...rest } = options;
  if (yaml !== undefined) writeFileSync(join(cwd, 'millrace.yaml'), yaml);
  return loadConfig({ env: {}, cwd, ...rest });
}

function problemsOf(options: LoadOptions & { yaml?: string }): ConfigError {
  try {
    load(options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('There should be problems.');
}

describe('precedence', () => {
  const yaml = 's3.connection.max: 1';
  const env = { S3_CONNECTION_MAX: '2' };
  const s3 = { maxSockets: 3 };
  const set = { 's3.connection.max': '4' };

  test.each<[string, LoadOptions & { yaml?: string }, number | undefined, string]>([
    ['nothing is said', {}, undefined, 'default'],
    ['a file', { yaml }, 1, 'file'],
    ['the environment over a file', { yaml, env }, 2, 'environment'],
    ['code over the environment', { yaml, env, s3 }, 3, 'code'],
    ['flat keys over all', { yaml, env, s3, set }, 4, 'set'],
  ])('%s', (_, options, value, from) => {
    const config = load(options);
    expect(config.s3.maxSockets).toBe(value);
    expect(config.origin('s3.connection.max').from).toBe(from);
  });

  test('the origin names the line and the variable', () => {
    const config = load({ yaml: 's3:\n  region: eu-central-1\n', env });
    expect(config.origin('s3.region').where).toBe(`${join(cwd, 'millrace.yaml')}, line 2`);
    expect(config.origin('s3.connection.max').where).toBe('environment variable S3_CONNECTION_MAX');
  });
});

describe('files', () => {
  test('flat and nested keys mean the same', () => {
    const flat = load({ yaml: 's3.retry.base-delay: 5s\ns3.retry.max-delay: 1m' });
    const nested = load({ yaml: 's3:\n  retry: { base-delay: 5s }\n  retry.max-delay: 1m' });
    expect(nested.s3).toEqual(flat.s3);
    expect(nested.s3.retry).toEqual({ base: 5000, cap: 60_000 });
  });

  test('a key of digits remains a string', () => {
    const { credentials } = load({ yaml: 's3.access-key: 0012\ns3.secret-key: 12e5' }).s3;
    expect({ ...(credentials as object) }).toEqual({ accessKeyId: '0012', secretAccessKey: '12e5' });
  });

  describe('a document or section that is not a map is reported with its line', () => {
    test.each([
      ['', 'nothing'],
      ['# nothing but a comment', 'nothing'],
      ['- a list', /line 1: the file must be a map/],
      ['a text', /line 1: the file must be a map/],
      ['? [a]\n: b', /line 1: a key must be a string/],
      ['s3: &a\n  b: *a', /line 2: aliases are not read/],
      ['s3.region: a\ns3.region: b', /line 2: this is not valid YAML \(DUPLICATE_KEY\)/],
      ['s3.region: a\ns3: { region: b }', /line 2\) is set twice/],
      ['s3.region: [a, b]', /s3\.region: a list .*line 1\) is not allowed/],
      ['s3.region:', /s3\.region: '' .*line 1\) is not allowed/],
      ['{'.repeat(20_000), /YAML|deeply/],
      [`${'{a: '.repeat(200)}1${'}'.repeat(200)}`, /is not an option/],
    ] as const)('%#', (yaml, expected) => {
      if (expected === 'nothing') expect(load({ yaml }).s3).toEqual({});
      else expect(problemsOf({ yaml }).message).toMatch(expected);
    });
  });

  test('MILLRACE_CONFIG names another file, which must exist', () => {
    writeFileSync(join(cwd, 'other.yaml'), 's3.region: eu-west-1');
    expect(load({ env: { MILLRACE_CONFIG: 'other.yaml' }, yaml: 's3.region: eu-west-2' }).s3.region).toBe(
      'eu-west-1',
    );
    expect(problemsOf({ env: { MILLRACE_CONFIG: 'none.yaml' } }).message).toMatch(
      /none\.yaml \(MILLRACE_CONFIG\) does not exist/,
    );
  });
});

test('names of buckets may have dots: the longest known ending is the property', () => {
  const { s3 } = load({
    yaml: `
s3.bucket.my.data.region: eu-west-1
s3.bucket.my.data.sse.type: sse-kms
s3.bucket.my.data.sse.kms.key-id: alias/mine
s3.bucket.my.data.sse.kms.encryption-context.the.region: x
`,
  });
  expect(s3.buckets).toEqual({
    'my.data': {
      region: 'eu-west-1',
      sse: { type: 'sse-kms', kms: { keyId: 'alias/mine', encryptionContext: { 'the.region': 'x' } } },
    },
  });
});

test('every problem is reported', () => {
  const { problems, message } = problemsOf({
    yaml: 's3.regoin: x\ns3.connection.max: many\ns3.access-key: AKIA',
    env: { S3_UPLOAD_MIN_PART_SIZE: '1MiB' },
  });
  expect(problems.map(({ code, key }) => `${code} ${key}`)).toEqual([
    'InvalidValue s3.upload.min.part.size',
    'UnknownKey s3.regoin',
    'InvalidValue s3.connection.max',
    'Incomplete s3.access-key',
  ]);
  expect(message).toContain("'1MiB' (environment variable S3_UPLOAD_MIN_PART_SIZE)");
  expect(message).toContain('Did you mean s3.region?');
});

test('sizes and durations', () => {
  const { transfer, checkpoints } = load({
    set: { 's3.upload.min.part.size': '16MiB', 'execution.checkpointing.interval': '10s' },
  });
  expect(transfer.partSize).toBe(16 * MiB);
  expect(checkpoints.interval).toBe(10_000);
});
