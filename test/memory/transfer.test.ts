import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const run = fileURLToPath(new URL('../../build/bench/memory/run.js', import.meta.url));

interface Figures {
  readonly bytes: number;
  readonly above: number;
  readonly budget: number;
  readonly exact: boolean;
}

/** A process of its own (compiled: `npm test` builds first), whose resident set the kernel itself keeps the peak of. */
function transfer(...args: string[]): Promise<Figures> {
  if (!existsSync(run)) throw new Error('build/bench is missing: run npm run build.');
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['--expose-gc', run, ...args], (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve(JSON.parse(stdout) as Figures);
    });
  });
}

describe('an object of 2 GiB takes no more memory than the budgets and 150 MB above the warmed-up process', () => {
  test.each([
    ['reading', 'store'],
    ['writing', 'store'],
    ['copying', 'store'],
    ['streaming', 'store'],
    ['reading', 's3'],
    ['writing', 's3'],
    ['streaming', 's3'],
    ['up', 'store'],
    ['up', 's3'],
    ['down', 's3'],
  ])(
    '%s, the store behind %s',
    async (kind, via) => {
      const { bytes, exact, above, budget } = await transfer(kind, '--via', via);
      expect({ bytes, exact }).toEqual({ bytes: 2 ** 31, exact: true });
      expect(above).toBeLessThanOrEqual(budget + 150e6);
    },
    180_000,
  );
});
