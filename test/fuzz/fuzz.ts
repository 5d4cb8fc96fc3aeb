import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Target } from './target.js';
import type { Errand, Finding } from './worker.js';

/** Under Jest this module is the source, but the thread always runs the compiled one. */
const program = fileURLToPath(
  import.meta.url.endsWith('.ts')
    ? new URL('../../build/test/fuzz/worker.js', import.meta.url)
    : new URL('worker.js', import.meta.url),
);

/** Of the thread. A decoder that allocates whatever foreign bytes ask for exceeds it. */
const heapMiB = 512;

/**
 * Runs inputs of targets in one thread: `count` of each, or its share of them, with the seeds from `first` on. An input that
 * takes longer than `hang`, in milliseconds, ends the run; it is the last finding. The slowest takes a tenth of a second.
 */
export async function fuzz(
  targets: readonly Target[],
  first: number,
  count: number,
  hang = 20_000,
): Promise<Finding[]> {
  const errands = targets.map(({ name, share = 1 }) => ({ name, count: Math.ceil(count * share) }));
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const done = (): number => Atomics.load(progress, 0);
  const findings: Finding[] = [];
  const worker = new Worker(program, {
    workerData: { errands, first, progress } satisfies Errand,
    resourceLimits: { maxOldGenerationSizeMb: heapMiB },
  });
  worker.on('message', (finding: Finding) => findings.push(finding));

  const stuck = (what: string): void => {
    let left = done();
    for (const { name, count: inputs } of errands) {
      if (left < inputs) return void findings.push({ target: name, seed: first + left, what });
      left -= inputs;
    }
  };
  let seen = -1;
  const watch = setInterval(() => {
    if (done() === seen) {
      stuck(`hangs: no end after ${hang} ms`);
      void worker.terminate();
    }
    seen = done();
  }, hang);
  try {
    await once(worker, 'exit');
    if (findings.length === 0) stuck('ends the thread');
  } catch (error) {
    stuck(`ends the thread: ${String(error)}`);
  } finally {
    clearInterval(watch);
  }
  return findings;
}
