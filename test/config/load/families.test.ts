import { flat, load } from '../support.js';

/** Credentials as they are, not as they are printed. */
const keysOf = (credentials: unknown): unknown =>
  typeof credentials === 'object' ? { ...credentials } : credentials;

const s3Keys = { 's3.access-key': 'a', 's3.secret-key': 'b' };
const basic = {
  'aws.credentials.provider': 'BASIC',
  'aws.credentials.provider.basic.accesskeyid': 'c',
  'aws.credentials.provider.basic.secretkey': 'd',
};
const awsKeys = { 'aws.accessKeyId': 'e', 'aws.secretAccessKey': 'f' };
const pairs = {
  s3: { accessKeyId: 'a', secretAccessKey: 'b' },
  basic: { accessKeyId: 'c', secretAccessKey: 'd' },
  aws: { accessKeyId: 'e', secretAccessKey: 'f' },
};

describe('credentials', () => {
  test.each([
    ['s3.* over all', { ...awsKeys, ...basic, ...s3Keys }, pairs.s3],
    ['the provider BASIC over plain aws.* keys', { ...awsKeys, ...basic }, pairs.basic],
    ['plain aws.* keys', awsKeys, pairs.aws],
    ['aws.accessKey is aws.accessKeyId', { 'aws.accessKey': 'e', 'aws.secretAccessKey': 'f' }, pairs.aws],
    ['plain aws.* keys are what BASIC finds', { 'aws.credentials.provider': 'BASIC', ...awsKeys }, pairs.aws],
    ['basic.* keys need no provider', { ...basic, 'aws.credentials.provider': undefined }, pairs.basic],
    ['AUTO', { 'aws.credentials.provider': 'auto' }, 'AUTO'],
    ['ENV_VAR', { 'aws.credentials.provider': 'ENV_VAR' }, 'ENV_VAR'],
    ['ANONYMOUS', { 'aws.credentials.provider': 'ANONYMOUS' }, 'ANONYMOUS'],
    ['PROFILE', { 'aws.credentials.provider': 'PROFILE' }, 'PROFILE'],
    [
      'a profile needs no provider',
      { 'aws.credentials.provider.profile.name': 'p' },
      { provider: 'PROFILE', profile: 'p' },
    ],
    ['nothing: the chain', {}, undefined],
  ])('%s', (_, set, credentials) => {
    expect(keysOf(flat(set).s3.credentials)).toEqual(credentials);
  });

  test('the source takes precedence over the order of the table', () => {
    const config = load({
      env: { AWS_CREDENTIALS_PROVIDER: 'ANONYMOUS' },
      s3: {},
      set: {},
    });
    expect(config.s3.credentials).toBe('ANONYMOUS');
    const over = load({ env: { S3_ACCESS_KEY: 'a', S3_SECRET_KEY: 'b' }, set: awsKeys });
    expect(keysOf(over.s3.credentials)).toEqual(pairs.aws);
    expect(over.warnings).toEqual([]);
  });

  test('a secret and its key may come from different places', () => {
    const { s3 } = load({ env: { S3_SECRET_KEY: 'b' }, set: { 's3.access-key': 'a' } });
    expect(keysOf(s3.credentials)).toEqual(pairs.s3);
  });

  test('code may pass a function, keys or a provider', () => {
    const provide = () => Promise.resolve(pairs.s3);
    expect(load({ s3: { credentials: provide } }).s3.credentials).toBe(provide);
    expect(
      keysOf(
        load({ s3: { credentials: pairs.s3 }, env: { S3_ACCESS_KEY: 'x', S3_SECRET_KEY: 'y' } }).s3
          .credentials,
      ),
    ).toEqual(pairs.s3);
    expect(load({ s3: { credentials: 'ENV_VAR' } }).s3.credentials).toBe('ENV_VAR');
    expect(load({ s3: { credentials: { provider: 'PROFILE', profile: 'p' } } }).s3.credentials).toEqual({
      provider: 'PROFILE',
      profile: 'p',
    });
  });

  test('a bucket may have its own', () => {
    const { s3 } = flat({
      ...s3Keys,
      's3.bucket.open.credentials.provider': 'ANONYMOUS',
      's3.bucket.mine.access-key': 'e',
      's3.bucket.mine.secret-key': 'f',
    });
    expect(s3.buckets?.['open']?.credentials).toBe('ANONYMOUS');
    expect(keysOf(s3.buckets?.['mine']?.credentials)).toEqual(pairs.aws);
  });
});

test.each([
  ['region', { 's3.region': 'eu-west-1', 'aws.region': 'eu-west-2' }, 'eu-west-1', 'aws.region'],
  [
    'path style',
    { 's3.path-style-access': 'true', 's3.spi.force-path-style': 'false' },
    true,
    's3.spi.force-path-style',
  ],
] as const)('%s: the first of the table is used, and a warning names the other', (_, set, value, unused) => {
  const { s3, warnings, origin } = flat(set);
  expect(s3.region ?? s3.forcePathStyle).toBe(value);
  expect(warnings).toEqual([expect.stringContaining(`${unused} (option set) is not used`)]);
  expect(origin(unused).from).toBe('default');
});

test('the second of the table is used if the first is not set', () => {
  expect(flat({ 'aws.region': 'eu-west-2' }).s3.region).toBe('eu-west-2');
  expect(flat({ 's3.spi.force-path-style': 'false' }).s3.forcePathStyle).toBe(false);
  expect(
    flat({
      'aws.credentials.provider.role.arn': 'arn:aws:iam::1:role/a',
      'aws.credentials.provider.role.sessionName': 'me',
    }).s3.assumeRole,
  ).toMatchObject({
    arn: 'arn:aws:iam::1:role/a',
    sessionName: 'me',
  });
});

describe('the checkpoint directory', () => {
  const bucket = { 'state.backend.s3.bucket': 'flink-state' };
  test.each([
    [
      'state.checkpoints.dir over the bucket',
      { 'state.checkpoints.dir': 's3://lake/cp', ...bucket },
      's3://lake/cp',
    ],
    ['a bucket', bucket, 's3://flink-state/checkpoints'],
    [
      'a bucket, base path and prefix',
      { ...bucket, 'state.backend.s3.base-path': 'my-job/state', 'state.backend.s3.checkpoint-prefix': 'cp' },
      's3://flink-state/my-job/state/cp',
    ],
    ['nothing', {}, undefined],
  ])('%s', (_, set, dir) => {
    expect(flat(set).checkpoints.dir).toBe(dir);
  });
});

describe('the savepoint directory', () => {
  const bucket = { 'state.backend.s3.bucket': 'flink-state', 'state.backend.s3.base-path': 'my-job' };
  const prefix = { 'state.backend.s3.savepoint-prefix': 'sp' };
  test.each([
    ['a bucket', bucket, 's3://flink-state/my-job/savepoints'],
    ['a bucket and a prefix', { ...bucket, ...prefix }, 's3://flink-state/my-job/sp'],
    [
      'a bucket, with checkpoints elsewhere',
      { ...bucket, ...prefix, 'state.checkpoints.dir': 's3://lake/cp' },
      's3://flink-state/my-job/sp',
    ],
    ['a URI over the bucket', { ...bucket, 'state.savepoints.dir': 's3://lake/sp' }, 's3://lake/sp'],
    ['nothing', {}, undefined],
  ])('%s', (_, set, dir) => {
    expect(flat(set).savepoints.dir).toBe(dir);
  });
});

describe('the folder of exported state', () => {
  const bucket = { 'state.backend.s3.bucket': 'flink-state', 'state.backend.s3.base-path': 'my-job' };
  const prefix = { 'state.backend.s3.state-prefix': 'ex/all' };
  test.each([
    ['a bucket', bucket, 's3://flink-state/my-job/state'],
    ['a bucket and a prefix', { ...bucket, ...prefix }, 's3://flink-state/my-job/ex/all'],
    [
      'a bucket, with checkpoints elsewhere',
      { ...bucket, ...prefix, 'state.checkpoints.dir': 's3://lake/cp' },
      's3://flink-state/my-job/ex/all',
    ],
    ['a URI over the bucket', { ...bucket, 'state.exports.dir': 's3://lake/ex' }, 's3://lake/ex'],
    ['nothing', {}, undefined],
  ])('%s', (_, set, dir) => {
    expect(flat(set).state.exportDir).toBe(dir);
  });
});

test('a bucket extends the role and the encryption of all buckets', () => {
  const { s3 } = flat({
    's3.assume-role.arn': 'arn:aws:iam::1:role/a',
    's3.sse.type': 'sse-kms',
    's3.sse.kms.key-id': 'alias/a',
    's3.bucket.lake.assume-role.session-name': 'lake',
    's3.bucket.lake.sse.kms.encryption-context.dept': 'x',
    's3.bucket.plain.sse.type': 'sse-s3',
  });
  expect(s3.buckets?.['lake']?.assumeRole).toMatchObject({
    arn: 'arn:aws:iam::1:role/a',
    sessionName: 'lake',
  });
  expect(s3.buckets?.['lake']?.sse).toEqual({
    type: 'sse-kms',
    kms: { keyId: 'alias/a', encryptionContext: { dept: 'x' } },
  });
  expect(s3.buckets?.['plain']?.sse).toEqual({ type: 'sse-s3' });
});
