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
function transfer(kind: string, size: number, via: string): Promise<Figures> {
  if (!existsSync(run)) throw new Error('build/bench is missing: run npm run build.');
  return new Promise((resolve, reject) => {
    const args = ['--expose-gc', run, kind, '--bytes', String(size), '--via', via];
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve(JSON.parse(stdout) as Figures);
    });
  });
}

const MiB = 2 ** 20;

/**
 * 384 MiB are more than all budgets and the slack together, so an object of that size shows what is kept whole. Those of
 * 2 GiB show what keeps a small share.
 */
describe('an object takes no more memory than the budgets and 150 MB above the warmed-up process', () => {
  test.each([
    ['reading', 384, 'store'],
    ['writing', 384, 'store'],
    ['copying', 2048, 'store'],
    ['streaming', 2048, 'store'],
    ['reading', 384, 's3'],
    ['writing', 384, 's3'],
    ['streaming', 384, 's3'],
    ['up', 2048, 'store'],
    ['up', 384, 's3'],
    ['down', 384, 's3'],
  ])(
    '%s %d MiB, the store behind %s',
    async (kind, size, via) => {
      const { bytes, exact, above, budget } = await transfer(kind, size * MiB, via);
      expect({ bytes, exact }).toEqual({ bytes: size * MiB, exact: true });
      expect(budget + 150e6).toBeLessThan(size * MiB);
      expect(above).toBeLessThanOrEqual(budget + 150e6);
    },
    180_000,
  );
});
