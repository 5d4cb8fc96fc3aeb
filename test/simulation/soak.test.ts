/** The programs of `npm run soak` are those of `build/`, which import the package as it is built. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { drawOutput, outputFormats } from './scenario.js';

test('the soak starts: everything that its rounds import is there', () => {
  const program = join(import.meta.dirname, '../../build/test/soak/run.js');
  const { status, stderr } = spawnSync(process.execPath, [program, '--minutes', '0'], { encoding: 'utf8' });
  expect(stderr).toContain('Usage: npm run soak');
  expect(status).toBe(2);
});

test('a round of simulations has output of every kind', () => {
  const drawn = Array.from({ length: 1000 }, (_, i) => drawOutput(1_000_000 + i));
  const kinds = new Set(drawn.map(({ output }) => output));
  expect(kinds).toEqual(
    new Set([undefined, 'table', 'outbox', 'files and outbox', ...Object.keys(outputFormats)]),
  );
  expect(drawn.some(({ rollsByClock }) => rollsByClock === true)).toBe(true);
  expect(drawn.some(({ manifests }) => manifests === true)).toBe(true);
});
