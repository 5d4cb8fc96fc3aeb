import { readdirSync, readFileSync } from 'node:fs';
import { findKey, findOption, schema, variableOf } from '../../src/config/schema/index.js';

/** Keys that the references name, one spelling a line of theirs. */
const referenced = `
s3.access-key s3.secret-key s3.session-token s3.region s3.endpoint s3.path-style-access
s3.chunked-encoding.enabled s3.checksum-validation.enabled s3.upload.min.part.size s3.upload.max.concurrent.uploads
s3.read.buffer.size s3.entropy.key s3.entropy.length s3.bulk-copy.enabled s3.bulk-copy.max-concurrent s3.async.enabled
s3.connection.max s3.connection.timeout s3.socket.timeout s3.retry.max-num-retries s3.sse.type s3.sse.kms.key-id
s3.sse.kms.encryption-context.department s3.assume-role.arn s3.assume-role.external-id s3.assume-role.session-name
s3.assume-role.session-duration s3.bucket.lake.region s3.bucket.lake.endpoint s3.bucket.lake.path-style-access
s3.bucket.lake.access-key s3.bucket.lake.secret-key s3.bucket.lake.session-token s3.bucket.lake.sse.type
s3.bucket.lake.sse.kms.key-id s3.bucket.lake.sse.kms.encryption-context.a s3.bucket.lake.assume-role.arn
s3.bucket.lake.assume-role.external-id s3.bucket.lake.assume-role.session-name s3.bucket.lake.assume-role.session-duration
security.delegation.token.provider.s3-native.enabled security.delegation.token.provider.s3-native.access-key
security.delegation.token.provider.s3-native.secret-key security.delegation.token.provider.s3-native.region
s3.spi.read.max-fragment-size s3.spi.read.fragment-size s3.spi.read.max-fragment-number s3.spi.read.fragment-number
s3.spi.endpoint-protocol s3.spi.force-path-style s3.spi.timeout-low s3.spi.timeout-high s3.integrity-check-algorithm
s3.spi.write.multipart-part-size aws.region aws.accessKey aws.accessKeyId aws.secretAccessKey
aws.credentials.provider aws.credentials.provider.basic.accesskeyid aws.credentials.provider.basic.secretkey
state.backend state.backend.s3.bucket state.backend.s3.base-path state.backend.s3.state-prefix
state.backend.s3.checkpoint-prefix state.backend.s3.savepoint-prefix state.backend.s3.state-file-compression
state.backend.s3.state-file-encryption state.backend.s3.state-file-extension state.backend.s3.state-file-part-size
state.checkpoints.dir state.savepoints.dir execution.checkpointing.interval execution.checkpointing.timeout
execution.checkpointing.min-pause execution.checkpointing.mode execution.checkpointing.tolerable-failed-checkpoints
execution.checkpointing.num-retained restart-strategy.type restart-strategy.exponential-delay.initial-backoff
restart-strategy.exponential-delay.max-backoff restart-strategy.exponential-delay.backoff-multiplier
restart-strategy.exponential-delay.jitter-factor restart-strategy.exponential-delay.reset-backoff-threshold
restart-strategy.exponential-delay.attempts-before-reset-backoff`
  .trim()
  .split(/\s+/);

test.each(referenced)('%s is known', (key) => {
  expect(findKey(key)).toBeDefined();
});

test('keys, aliases and variables name one thing each', () => {
  const spellings = schema.flatMap(({ key, aliases = [] }) => [key, ...aliases]);
  expect(new Set(spellings).size).toBe(spellings.length);
  const variables = schema.flatMap((row) =>
    [row.key, ...(row.aliases ?? [])].flatMap((key) => variableOf(row, key) ?? []),
  );
  expect(new Set(variables).size).toBe(variables.length);
});

test('variables are upper case with underscores; keys with a name in them have none, nor has AWS_REGION', () => {
  const variable = (key: string) => variableOf(findKey(key)!.row);
  expect(variable('s3.spi.read.max-fragment-size')).toBe('S3_SPI_READ_MAX_FRAGMENT_SIZE');
  expect(variable('execution.checkpointing.min-pause')).toBe('EXECUTION_CHECKPOINTING_MIN_PAUSE');
  for (const row of schema) if (row.key.includes('<')) expect(variableOf(row)).toBeUndefined();
  expect(variable('aws.region')).toBeUndefined();
});

test('every row is found by its key and by its option', () => {
  for (const row of schema) {
    const key = row.key.replace('<name>', 'some.name').replace('<entry>', 'an.entry');
    expect(findKey(key)).toMatchObject({ row, key });
    const found = findOption(row.option.split('.').map((step) => step.replace(/^<.*>$/, 'x')));
    expect(found?.row.option).toBe(row.option);
  }
});

test('every option of S3Options has a key', () => {
  const source = readFileSync(new URL('../../src/config/s3Options.ts', import.meta.url), 'utf8');
  const options = new Set(schema.flatMap(({ option }) => option.split('.')));
  const fields = [...source.matchAll(/^ +readonly (\w+)\??:/gm)].map(([, name]) => name ?? '');
  expect(fields.length).toBeGreaterThan(30);
  // Only code can set the expiration of credentials.
  expect(fields.filter((name) => !options.has(name) && name !== 'expiration')).toEqual([]);
});

/** The fields of an interface, from its source. */
function fieldsOf(file: string, name: string): string[] {
  const source = readFileSync(new URL(`../../src/config/${file}`, import.meta.url), 'utf8');
  const [, body = ''] = new RegExp(`interface ${name} \\{\n([^]*?)\n\\}`).exec(source) ?? [];
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field]) => field ?? '').sort();
}

test.each([
  ['transfer', 'Transfer', 'TransferOptions'],
  ['checkpoints', 'Checkpoints', 'CheckpointDefaults'],
  ['restart', 'Restarts', 'RestartDefaults'],
  ['state', 'State', 'StateOptions'],
  ['delegationTokens', 'DelegationTokens', 'DelegationTokenOptions'],
])('the keys of %s are the options of both its types', (group, resolved, given) => {
  const options = schema.map(({ option }) => option.split('.')).filter(([first]) => first === group);
  const named = [...new Set(options.map(([, second]) => second ?? ''))].sort();
  expect(fieldsOf('config.ts', resolved)).toEqual(named);
  expect(fieldsOf('options.ts', given)).toEqual(named);
});

test('files of the schema stay small', () => {
  const folder = new URL('../../src/config/schema/', import.meta.url);
  for (const name of readdirSync(folder)) {
    expect(readFileSync(new URL(name, folder), 'utf8').split('\n').length).toBeLessThan(300);
  }
});
