import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Each starts processes; on a busy machine that takes its time. */
export const patience = 120_000;

const run = fileURLToPath(new URL('../../build/bench/run.js', import.meta.url));

/** The harness as its users meet it: compiled, by its command line (`npm test` builds first). */
export function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  if (!existsSync(run)) throw new Error('build/bench is missing: run npm run build.');
  return new Promise((resolve) => {
    execFile(process.execPath, ['--expose-gc', run, ...args], (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        stdout,
        stderr,
      });
    });
  });
}

export interface Line {
  readonly name: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly goals: readonly { metric: string; value: number; goal: number; met: boolean }[];
}
