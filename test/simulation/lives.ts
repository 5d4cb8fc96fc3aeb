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
  /** The job of each process, and its leaves. */
  readonly begin: (surroundings: Surroundings) => {
    readonly job: Job;
    readonly leaf: Observable<unknown>;
    readonly others?: readonly Observable<unknown>[];
  };
  readonly fates: readonly Fate[];
}

export interface Lived {
  readonly world: ObjectStore;
  /** The requests of each process. */
  readonly requests: readonly (readonly Kind[])[];
  readonly checkpoints: number;
}

export interface LifeOptions extends Omit<LivesOptions, 'fill'> {
  readonly world: ObjectStore;
  readonly clock: SimulatedClock;
  readonly random: () => number;
}

/** The processes of one job, one after another, in a world that other jobs may share. */
export class Life {
  readonly processes: SimulatedProcess[] = [];
  checkpoints = 0;
  readonly #options: LifeOptions;
  readonly #fates: (Fate | undefined)[];
  #over: string | undefined;
  #failure: unknown;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#fates = [...options.fates, undefined];
  }

  /** Starts the next process if there is none. Returns whether one has finished, or none is left. Throws if one fails. */
  turn(): boolean {
    if (this.#failure !== undefined) throw new Error('A process failed', { cause: this.#failure });
    if (this.#over === 'finished') return true;
    if (this.#over === undefined && this.processes.at(-1)?.state === 'running') return false;
    if (this.#fates.length === 0) return true;
    this.#start(this.#fates.shift());
    return false;
  }

  #start(fate: Fate | undefined): void {
    const { world, clock, random, begin } = this.#options;
    const network = delayed(world, { clock, before: () => between(random, 0, 3) });
    const process = new SimulatedProcess(network, clock, fate);
    this.processes.push(process);
    this.#over = undefined;
    const { job, leaf, others = [] } = begin(surroundingsOf(process, random));
    job.events$.subscribe((event) => {
      if (event.type === 'checkpoint-durable') this.checkpoints++;
      if (event.type === 'failed') this.#failure = event['error'];
      if (['finished', 'stopped', 'failed'].includes(event.type)) this.#over = event.type;
    });
    job.run(leaf, ...others, { signal: process.signal }).catch(() => undefined); // the event has it
  }
}

/** An empty world. */
export function emptyWorld(): Pick<LifeOptions, 'world' | 'clock'> {
  const clock = new SimulatedClock(1_700_000_000_000);
  return { clock, world: createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize }) };
}

/** Runs the job until a process finishes. Throws if one fails, or none gets to the end. */
export function live({ fill, ...options }: LivesOptions): Lived {
  const { world, clock } = emptyWorld();
  fill?.(world);
  const life = new Life({ ...options, world, clock, random: seeded(1) });
  turnUntil(clock, () => life.turn());
  while (clock.step()); // what is still on its way to the store
  const { processes, checkpoints } = life;
  return { world, requests: processes.map(({ requests }) => requests), checkpoints };
}

/** Lives of the job with a crash at each request of its first process, before and after the request takes effect. */
export function* crashes(options: Omit<LivesOptions, 'fates'>, step = 1): Generator<Lived> {
  const [first = []] = live({ ...options, fates: [] }).requests;
  for (const when of ['before', 'after'] as const)
    for (let at = 1; at <= first.length; at += step)
      yield live({ ...options, fates: [{ kind: 'crash', at, when }] });
}
