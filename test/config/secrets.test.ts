import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, inspect } from 'node:util';
import { ConfigError, loadConfig, type LoadOptions } from '../../src/config/index.js';
import { schema } from '../../src/config/schema/index.js';

const secret = 'wJalrXUtnFEMI';

const secretKeys = schema
  .filter(({ kind }) => kind.name === 'secret')
  .map(({ key }) => key.replace('<name>', 'lake'));

function everywhere(value: unknown): string {
  return [
    inspect(value, { depth: 20, showHidden: true }),
    inspect(value, { depth: 20 }),
    format('%s %o %O %j', value, value, value, value),
    JSON.stringify(value),
    String(value),
    value instanceof Error ? `${value.message} ${value.stack ?? ''}` : '',
  ].join('\n');
}

test('a configuration shows no secret, however it is printed', () => {
  const inBase64 = `${secret.padEnd(43, 'A')}=`;
  const set = Object.fromEntries(
    secretKeys.map((key, i) => [
      key,
      key.endsWith('customer-key') ? inBase64 : `${secret}-${i}`.padEnd(32, 'x'),
    ]),
  );
  const config = loadConfig({
    set: {
      ...set,
      's3.assume-role.arn': 'arn:aws:iam::1:role/a',
      's3.bucket.lake.assume-role.arn': 'arn:aws:iam::1:role/a',
      's3.proxy': `http://me:${secret}@proxy.test:3128`,
      's3.bucket.lake.proxy': `http://me:${secret}@proxy.test:3128`,
    },
    env: {},
    file: false,
  });
  const parts = [
    config,
    ...(Object.values(config) as unknown[]),
    config.s3.credentials,
    config.s3.assumeRole,
    config.s3.buckets?.['lake'],
  ];
  for (const part of parts) expect(everywhere(part)).not.toContain(secret);
  expect(config.s3.credentials).toMatchObject({ secretAccessKey: expect.stringContaining(secret) as string });
  expect(config.s3.assumeRole?.externalId).toContain(secret);
  expect(config.s3.proxy).toContain(secret);
  expect(config.s3.sse?.customerKey).toContain(secret);
  expect(config.checkpoints.sign?.keys?.[0]).toContain(secret);
  expect(config.delegationTokens.credentials?.secretAccessKey).toContain(secret);
});

test('keys set in code are not shown either', () => {
  const { s3 } = loadConfig({
    s3: { credentials: { accessKeyId: 'a', secretAccessKey: secret } },
    env: {},
    file: false,
  });
  expect(everywhere(s3)).not.toContain(secret);
  expect({ ...(s3.credentials as object) }).toEqual({ accessKeyId: 'a', secretAccessKey: secret });
});

describe('errors show no secret', () => {
  const wrong: readonly (readonly [string, LoadOptions])[] = [
    ...secretKeys.flatMap((key): [string, LoadOptions][] => [
      [`${key} is a list`, { set: { [key]: [secret] } }],
      [`${key} is a map`, { set: { [`${key}.x`]: secret } }],
      [`${key} is misspelled`, { set: { [key.replace(/.$/, 'q')]: secret } }],
    ]),
    ['one key without the other', { set: { 's3.access-key': secret } }],
    ['a password in the endpoint', { set: { 's3.endpoint': `https://me:${secret}@host` } }],
    ['a password in the proxy', { set: { 's3.proxy': `socks5://me:${secret}@host` } }],
    ['a password in the directory', { set: { 'state.checkpoints.dir': `s3x://me:${secret}@host/b` } }],
    ['credentials in code that lack a key', { s3: { credentials: { secretAccessKey: secret } as never } }],
    ['credentials of an unknown provider', { s3: { credentials: { provider: secret } as never } }],
  ];

  test.each(wrong)('%s', (_, options) => {
    let error: unknown;
    try {
      loadConfig({ env: {}, file: false, ...options });
    } catch (each) {
      error = each;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect(everywhere(error)).not.toContain(secret);
  });

  test.each([
    [`s3.secret-key: "${secret}`],
    [`s3.secret-key: ${secret}\n  s3.x: [`],
    [`s3.secret-key: ${secret}: ${secret}`],
    [`s3.secret-key: *${secret}`],
    [`s3.secret-key: @${secret}`],
    [`s3.secret-key: [${secret}]`],
    [`- ${secret}`],
    [secret],
  ])('invalid YAML: %j', (yaml) => {
    const cwd = mkdtempSync(join(tmpdir(), 'millrace-secrets-'));
    try {
      writeFileSync(join(cwd, 'millrace.yaml'), yaml);
      let error: unknown;
      try {
        loadConfig({ env: {}, cwd });
      } catch (each) {
        error = each;
      }
      expect(error).toBeInstanceOf(ConfigError);
      expect(everywhere(error)).not.toContain(secret);
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});
