/** A secret in the place of a key is not repeated. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { loadConfig, type ConfigError } from '../../src/config/index.js';

const secrets = [
  'AKIAIOSFODNN7EXAMPLE',
  'ASIAQWERTYUIOPASDFGH',
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'hunter2',
  'Tr0ub4dor&3',
  'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
  'QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
  '7d9f3c1e8a',
];

function errorOf(load: () => unknown): ConfigError {
  try {
    load();
  } catch (error) {
    return error as ConfigError;
  }
  throw new Error('It was to fail.');
}

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'millrace-config-'))));
afterEach(() => rmSync(directory, { recursive: true }));

function fromFile(yaml: string): ConfigError {
  const file = join(directory, 'millrace.yaml');
  writeFileSync(file, yaml);
  return errorOf(() => loadConfig({ file, env: {} }));
}

test.each(secrets)('%s', (secret) => {
  const quoted = JSON.stringify(secret);
  const errors = [
    fromFile(`${quoted}: x\n`),
    fromFile(`s3:\n  ${quoted}: x\n`),
    fromFile(`s3:\n  access-key:\n    ${quoted}: x\n`),
    fromFile(`? ${quoted}\n: y\n`),
    fromFile(`${quoted}: x\n${quoted}: y\n`),
    errorOf(() => loadConfig({ file: false, env: {}, set: { [secret]: 'x' } })),
    errorOf(() => loadConfig({ file: false, env: {}, s3: { [secret]: 'x' } } as never)),
  ];
  for (const error of errors) {
    expect(error.problems.length).toBeGreaterThan(0);
    expect(error.message).not.toContain(secret);
    expect(JSON.stringify(error.problems)).not.toContain(secret);
    expect(inspect(error)).not.toContain(secret);
  }
  expect(errors[1]?.message).toMatch(/s3\.<hidden> \(.*line 2\) is not an option/);
});

test.each(['s3.regoin', 's3.acces-key', 'region', 's3.connectionTimeout', 'S3_REGION', 'io.tmp.dirs'])(
  'a misspelled key is shown: %s',
  (key) => {
    expect(errorOf(() => loadConfig({ file: false, env: {}, set: { [key]: 'x' } })).message).toContain(key);
  },
);

test('a duplicate key in a file is one problem, with its line', () => {
  expect(fromFile('s3.region: a\ns3.region: b\n').problems).toEqual([
    expect.objectContaining({ code: 'InvalidFile', message: expect.stringContaining('line 2') as string }),
  ]);
});
