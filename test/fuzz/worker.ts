/**
 * Runs inputs of targets, in a thread that can be stopped while it hangs. `progress[0]` is the number of inputs that are done;
 * the supervisor watches it.
 */
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { MillraceError } from 'millrace';
import { seeded } from '../simulation/random.js';
import { brokenTargets } from './targets/broken.js';
import { targets } from './targets/index.js';
import { largeTargets } from './targets/large.js';

export interface Errand {
  readonly errands: readonly { readonly name: string; readonly count: number }[];
  /** The first seed. */
  readonly first: number;
  readonly progress: Int32Array;
}

/** A seed whose input did something else than decode or fail with a typed error. */
export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly what: string;
}

const { errands, first, progress } = workerData as Errand;

for (const { name, count } of errands) {
  const target = [...targets, ...largeTargets, ...brokenTargets].find((each) => each.name === name);
  if (target === undefined) throw new RangeError(`There is no target ${name}.`);
  for (let seed = first; seed < first + count; seed++) {
    try {
      await target.run(target.draw(seeded(seed)));
    } catch (error) {
      if (!(error instanceof MillraceError) || !target.errors.includes(error.code))
        parentPort?.postMessage({ target: name, seed, what: inspect(error) } satisfies Finding);
    }
    Atomics.add(progress, 0, 1);
  }
}
