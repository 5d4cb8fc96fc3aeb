import { loadConfig } from '../../src/config/index.js';
import { schema } from '../../src/config/schema/index.js';
import { flat, load, problemsOf } from './support.js';

const problems = (set: Readonly<Record<string, unknown>>): string[] =>
  problemsOf({ set }).problems.map(({ code, key }) => `${code} ${key}`);

/** A value that no row of a kind accepts. */
const wrong: Readonly<Record<string, unknown>> = {
  text: '',
  secret: '',
  flag: 'maybe',
  size: '5 elephants',
  duration: 'soon',
  count: '1.5',
  number: 'many',
  choice: 'neither',
  uri: 'not a uri',
  code: 7,
};

test.each(schema.map((row) => [row.key, row] as const))(
  '%s: a wrong value is refused with its rule and its place',
  (key, row) => {
    const said = key.replace('<name>', 'n').replace('<entry>', 'e');
    const [problem] = problemsOf({ set: { [said]: wrong[row.kind.name] } }).problems;
    expect(problem).toMatchObject({ code: 'InvalidValue', key: said });
    expect(problem?.message).toContain(row.kind.rule);
    expect(problem?.message).toContain('(option set)');
  },
);

test.each([
  ['s3.upload.min.part.size', '5MiB', '5242879'],
  ['s3.upload.min.part.size', '1GiB', '1073741825'],
  ['s3.assume-role.session-duration', '900', '899'],
  ['s3.assume-role.session-duration', '12h', '43201'],
  ['s3.spi.read.max-fragment-size', '1', '0'],
  ['s3.spi.read.max-fragment-number', '2', '1'],
  ['s3.upload.max.concurrent.uploads', '1', '0'],
  ['s3.entropy.length', '1', '0'],
  ['restart-strategy.exponential-delay.jitter-factor', '1', '1.01'],
  ['execution.checkpointing.interval', '24d', '25d'],
])('%s: %s is allowed, %s is not', (key, right, not) => {
  expect(() => flat({ [key]: right, 's3.assume-role.arn': 'arn:aws:iam::1:role/a' })).not.toThrow();
  expect(problems({ [key]: not })).toContain(`InvalidValue ${key}`);
});

test.each(Array.from('~#@*+%{}<>[]|"\\`'))('the entropy key must not hold %s', (sign) => {
  expect(problems({ 's3.entropy.key': `_e${sign}_` })).toEqual(['InvalidValue s3.entropy.key']);
});

test.each([
  ['s3.regoin', 's3.region'],
  ['s3.acces-key', 's3.access-key'],
  ['state.checkpoint.dir', 'state.checkpoints.dir'],
  ['s3.bucket.my.lake.sse.typ', 's3.bucket.my.lake.sse.type'],
  ['execution.checkpointing.intervall', 'execution.checkpointing.interval'],
])('%s: did you mean %s?', (key, suggestion) => {
  const [problem] = problemsOf({ set: { [key]: 'x' } }).problems;
  expect(problem).toMatchObject({ code: 'UnknownKey', key });
  expect(problem?.message).toMatch(`Did you mean ${suggestion}?`);
});

test('a key unlike all others gets no suggestion', () => {
  expect(problemsOf({ set: { 'completely.different.thing': 'x' } }).message).not.toContain('Did you mean');
});

test('nested options are checked like flat keys', () => {
  const error = problemsOf({ s3: { maxSockets: 0, retry: { bas: 1 } } as never, transfers: {} } as never);
  expect(error.problems.map(({ code, key }) => `${code} ${key}`)).toEqual([
    'InvalidValue s3.connection.max',
    'UnknownKey s3.retry.bas',
    'UnknownKey transfers',
  ]);
  expect(error.message).toContain('s3.maxSockets: 0 (options in code)');
  expect(error.message).toContain('Did you mean s3.retry.base?');
});

describe('options without effect and impossible values are refused', () => {
  test.each([
    [{ 's3.access-key': 'a' }, 'Incomplete s3.access-key'],
    [{ 's3.session-token': 'a' }, 'Incomplete s3.session-token'],
    [{ 'aws.credentials.provider': 'BASIC' }, 'Incomplete aws.credentials.provider'],
    [{ 'aws.credentials.provider': 'ASSUME_ROLE' }, 'Incomplete aws.credentials.provider'],
    [{ 's3.assume-role.external-id': 'x' }, 'Incomplete s3.assume-role.external-id'],
    [
      { 's3.bucket.lake.assume-role.session-name': 'me' },
      'Incomplete s3.bucket.lake.assume-role.session-name',
    ],
    [
      { 's3.bucket.lake.credentials.provider': 'ASSUME_ROLE' },
      'Incomplete s3.bucket.lake.credentials.provider',
    ],
    [{ 's3.sse.kms.key-id': 'k' }, 'Contradiction s3.sse.kms.key-id'],
    [
      { 's3.sse.type': 'sse-s3', 's3.sse.kms.encryption-context.a': 'b' },
      'Contradiction s3.sse.kms.encryption-context.a',
    ],
    [{ 's3.bucket.lake.sse.kms.key-id': 'k' }, 'Contradiction s3.bucket.lake.sse.kms.key-id'],
    [{ 's3.sse.type': 'sse-c' }, 'Incomplete s3.sse.type'],
    [{ 's3.bucket.lake.sse.type': 'sse-c' }, 'Incomplete s3.bucket.lake.sse.type'],
    [{ 's3.sse.customer-key': 'short' }, 'InvalidValue s3.sse.customer-key'],
    [{ 's3.sse.type': 'sse-s3', 's3.sse.customer-key-file': 'k' }, 'Contradiction s3.sse.customer-key-file'],
    [
      { 's3.sse.customer-key': `${'A'.repeat(43)}=`, 's3.sse.customer-key-file': 'k' },
      'Contradiction s3.sse.customer-key',
    ],
    [{ 's3.sse.customer-key-over-http': true }, 'Contradiction s3.sse.customer-key-over-http'],
    [
      { 's3.sse.type': 'sse-c', 's3.sse.customer-key-file': 'k', 's3.sse.kms.key-id': 'x' },
      'Contradiction s3.sse.kms.key-id',
    ],
    [
      { 's3.transfer-acceleration.enabled': true, 's3.endpoint': 'http://127.0.0.1' },
      'Contradiction s3.transfer-acceleration.enabled',
    ],
    [
      { 's3.dual-stack.enabled': true, 's3.endpoint': 'http://127.0.0.1' },
      'Contradiction s3.dual-stack.enabled',
    ],
    [
      { 's3.transfer-acceleration.enabled': true, 's3.path-style-access': true },
      'Contradiction s3.transfer-acceleration.enabled',
    ],
    [{ 'state.backend.s3.base-path': 'a' }, 'Incomplete state.backend.s3.base-path'],
    [
      { 'security.delegation.token.provider.s3-native.access-key': 'a' },
      'Incomplete security.delegation.token.provider.s3-native.access-key',
    ],
    [{ 'state.checkpoints.dir': 'ftp://lake/cp' }, 'InvalidValue state.checkpoints.dir'],
    [{ 'state.checkpoints.dir': 's3:///cp' }, 'InvalidValue state.checkpoints.dir'],
    [{ 'state.savepoints.dir': 'ftp://lake/sp' }, 'InvalidValue state.savepoints.dir'],
    [{ 'execution.savepoint.path': 's3:///sp' }, 'InvalidValue execution.savepoint.path'],
    [{ 'state.backend.s3.savepoint-prefix': 'sp' }, 'Incomplete state.backend.s3.savepoint-prefix'],
    [{ 'state.exports.dir': 'ftp://lake/ex' }, 'InvalidValue state.exports.dir'],
    [{ 'state.backend.s3.state-prefix': 'ex' }, 'Incomplete state.backend.s3.state-prefix'],
    [{ 's3.credentials': 'AUTO' }, 'InvalidValue s3.credentials'],
  ])('%j: %s', (set, problem) => {
    expect(problems(set)).toEqual([problem]);
  });

  test('one key in two spellings is one problem', () => {
    expect(problems({ 's3.spi.read.fragment-size': 1, 's3.spi.read.max-fragment-size': 2 })).toEqual([
      'Duplicate s3.spi.read.max-fragment-size',
    ]);
    expect(
      problemsOf({ env: { S3_SPI_READ_FRAGMENT_SIZE: '1', S3_SPI_READ_MAX_FRAGMENT_SIZE: '2' } }).problems,
    ).toHaveLength(1);
  });
});

describe('the environment', () => {
  test('ignores variables with names of users in them, AWS_REGION and unknown ones', () => {
    const { s3, warnings } = load({
      env: {
        S3_BUCKET_LAKE_REGION: 'eu-west-1',
        S3_SSE_KMS_ENCRYPTION_CONTEXT_DEPT: 'x',
        AWS_REGION: 'eu-west-1',
        S3_REGION: '',
        PATH: '/bin',
      },
    });
    expect(s3).toEqual({});
    expect(warnings).toEqual([
      expect.stringContaining(
        'S3_BUCKET_LAKE_REGION is not used: s3.bucket.<name>.region is for files and code',
      ),
      expect.stringContaining('S3_SSE_KMS_ENCRYPTION_CONTEXT_DEPT is not used'),
    ]);
  });

  test('a variable that almost has the name of a key gets a warning', () => {
    expect(load({ env: { S3_REGOIN: 'x' } }).warnings).toEqual([
      'Environment variable S3_REGOIN is not an option. Did you mean S3_REGION?',
    ]);
  });
});

describe('two values are clamped, with a warning; no others', () => {
  test.each([
    ['1KiB', 64 * 1024],
    ['1GiB', 4 * 2 ** 20],
  ])('s3.read.buffer.size %s', (said, used) => {
    const warned: string[] = [];
    const nothing = (): void => undefined;
    const { transfer, warnings } = load({
      set: { 's3.read.buffer.size': said },
      logger: { debug: nothing, info: nothing, error: nothing, warn: (_, message) => warned.push(message) },
    });
    expect(transfer.readBuffer).toBe(used);
    expect(warnings).toEqual([
      expect.stringContaining(
        `s3.read.buffer.size: '${said}' (option set) is out of bounds, ${used} is used`,
      ),
    ]);
    expect(warned).toEqual(warnings);
  });

  test('bulk copies stay within the connections', () => {
    const { transfer, warnings } = flat({ 's3.bulk-copy.max-concurrent': 60, 's3.connection.max': 20 });
    expect(transfer.bulkCopy.concurrency).toBe(20);
    expect(warnings).toHaveLength(1);
    expect(flat({ 's3.connection.max': 8 })).toMatchObject({
      transfer: { bulkCopy: { concurrency: 8 } },
      warnings: [],
    });
    expect(flat({ 's3.bulk-copy.max-concurrent': 0 }).transfer.bulkCopy.concurrency).toBe(1);
  });

  test('no other row clamps its values', () => {
    const clamping = schema.filter(({ kind }) => [0, 2 ** 50].some((value) => kind.read(value)?.clamped));
    expect(clamping.map(({ key }) => key)).toEqual(['s3.read.buffer.size', 's3.bulk-copy.max-concurrent']);
  });
});

test('a file that cannot be read or parsed is named with its line', () => {
  expect(() => loadConfig({ env: {}, file: '/nowhere/millrace.yaml' })).toThrow(
    '/nowhere/millrace.yaml (option file) does not exist',
  );
});
