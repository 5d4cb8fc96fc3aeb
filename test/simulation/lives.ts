/**
 * Lives of any job in virtual time: each process meets its fate at a request, the next one starts, and the last one gets to
 * the end of the input. For jobs that {@link simulate} has no shape for.
 */
import type { Observable } from 'rxjs';
import { createMemoryStore, type ObjectStore } from 'millrace/stores';
import { delayed, SimulatedClock } from 'millrace/testing';
import type { Job } from 'millrace';
import { minimumPartSize } from './pipeline.js';
import { SimulatedProcess, type Kind } from './process.js';
import { between, seeded } from './random.js';
import type { Fate } from './scenario.js';
import { surroundingsOf, turnUntil, type Surroundings } from './surroundings.js';

export interface LivesOptions {
  /** Creates the input on `memory://lake`. */
  readonly fill?: (world: ObjectStore) => void;
  /** The job of each process, and its leaf. */
  readonly begin: (surroundings: Surroundings) => {
    readonly job: Job;
    readonly leaf: Observable<unknown>;
  };
  readonly fates: readonly Fate[];
}

export interface Lived {
  readonly world: ObjectStore;
  /** The requests of each process. */
  readonly requests: readonly (readonly Kind[])[];
  readonly checkpoints: number;
}

/** Runs the job until a process finishes. Throws if one fails, or none gets to the end. */
export function live({ fill, begin, fates }: LivesOptions): Lived {
  const clock = new SimulatedClock(1_700_000_000_000);
  const random = seeded(1);
  const world = createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize });
  fill?.(world);
  const processes: SimulatedProcess[] = [];
  let checkpoints = 0;
  for (const fate of [...fates, undefined]) {
    const network = delayed(world, { clock, before: () => between(random, 0, 3) });
    const process = new SimulatedProcess(network, clock, fate);
    processes.push(process);
    const { job, leaf } = begin(surroundingsOf(process, random));
    let over: string | undefined;
    let failure: unknown;
    job.events$.subscribe((event) => {
      if (event.type === 'checkpoint-durable') checkpoints++;
      if (event.type === 'failed') failure = event['error'];
      if (['finished', 'stopped', 'failed'].includes(event.type)) over = event.type;
    });
    job.run(leaf, { signal: process.signal }).catch(() => undefined); // the event has it
    turnUntil(clock, () => over !== undefined || process.state !== 'running');
    if (failure !== undefined) throw new Error('A process failed', { cause: failure });
    if (over === 'finished') break;
  }
  while (clock.step()); // what is still on its way to the store
  return { world, requests: processes.map(({ requests }) => requests), checkpoints };
}

/** Lives of the job with a crash at each request of its first process, before and after the request takes effect. */
export function* crashes(options: Omit<LivesOptions, 'fates'>, step = 1): Generator<Lived> {
  const [first = []] = live({ ...options, fates: [] }).requests;
  for (const when of ['before', 'after'] as const)
    for (let at = 1; at <= first.length; at += step)
      yield live({ ...options, fates: [{ kind: 'crash', at, when }] });
}
