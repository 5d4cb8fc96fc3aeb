import { jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { loadConfig, silentLogger, type Logger } from '../../src/config/index.js';
import { standardErrorLogger } from '../../src/config/logger.js';

/** What is written to standard error while `work` runs. */
function written(work: () => void): string {
  const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    work();
    return write.mock.calls.map(([text]) => text as string).join('');
  } finally {
    write.mockRestore();
  }
}
const log = (logger: Logger, level: keyof Logger, context: object, message: string): string =>
  written(() => logger[level](context, message));

test('the default writes warnings and errors to standard error, one line each', () => {
  const context = {
    job: 'clicks',
    delay: 1000,
    error: 'The host is away.',
    waitingFor: ['out'],
    none: undefined,
  };
  const line = 'It failed job=clicks delay=1000 error="The host is away." waitingFor=["out"]\n';
  expect(log(standardErrorLogger, 'warn', context, 'It failed')).toBe(`millrace: warn: ${line}`);
  expect(log(standardErrorLogger, 'error', context, 'It failed')).toBe(`millrace: error: ${line}`);
  expect(log(standardErrorLogger, 'info', context, 'It failed')).toBe('');
  expect(log(standardErrorLogger, 'debug', context, 'It failed')).toBe('');
});

test('no message and no value starts a second line or controls the terminal', () => {
  const evil = 'a\nb\r\u001b[2J\u0085\u2028c';
  const line = log(standardErrorLogger, 'warn', { evil, list: [evil] }, evil);
  expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
  expect(line.endsWith('\n')).toBe(true);
});

test('it is the default of a configuration, and warns of likely mistakes', () => {
  const slip = { S3_REGIO: 'eu-central-1' };
  const expected =
    'millrace: warn: Environment variable S3_REGIO is not an option. Did you mean S3_REGION?\n';
  expect(written(() => loadConfig({ env: slip, file: false }))).toBe(expected);
  expect(written(() => loadConfig({ env: slip, file: false, logger: silentLogger }))).toBe('');
});

test('a closed standard error does not end the program', () => {
  const module = resolve(import.meta.dirname, '../../dist/index.js');
  const program = `
    import { loadConfig } from '${module}';
    for (let i = 0; i < 5000; i++) loadConfig({ env: { S3_REGIO: 'x'.repeat(100) }, file: false });
    setTimeout(() => console.log('alive'), 50);`;
  const script = '"$0" --input-type=module -e "$1" 2> >(exec true)';
  expect(execFileSync('bash', ['-c', script, process.execPath, program], { encoding: 'utf8' })).toBe(
    'alive\n',
  );
});
