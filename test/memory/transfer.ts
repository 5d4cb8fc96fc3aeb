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

/** A separate process (compiled: `npm test` builds first), as the kernel tracks the peak of its resident set. */
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

/** Declares a test for each kind of transfer and size in MiB, with the store under test in the process or behind `s3`. */
export function bounded(via: 'store' | 's3', transfers: readonly (readonly [string, number])[]): void {
  describe(`over ${via}, an object takes no more memory than the budgets and 150 MB above the warmed-up process`, () => {
    test.each(transfers)('%s %d MiB', async (kind, size) => {
      const { bytes, exact, above, budget } = await transfer(kind, size * MiB, via);
      expect({ bytes, exact }).toEqual({ bytes: size * MiB, exact: true });
      // It would show if the object were kept whole.
      expect(budget + 150e6).toBeLessThan(size * MiB);
      expect(above).toBeLessThanOrEqual(budget + 150e6);
    });
  });
}
