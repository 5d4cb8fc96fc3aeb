/**
 * Whole jobs in virtual time, on one memory store that all their processes share.
 *
 * 1. The first process starts. At the request that its fate names, it dies, is stopped or ends, and the next one starts, until
 *    one gets to the end of the input. A stopped process continues while its successors run, or after them.
 * 2. The clock runs until every process that is not dead has ended: as `finished`, because it was asked to, or by `Fenced`.
 *    At least one finishes.
 * 3. What the finished job left is noted.
 * 4. One more process starts, finds nothing to do, and removes what came too late for the others to see.
 * 5. The output is audited, and nothing may be left over.
 *
 * Everything is drawn from the scenario's seed, so a failure can be reproduced.
 */
import { createMemoryStore, type ObjectStore } from 'millrace/stores';
import { delayed, faulty, SimulatedClock } from 'millrace/testing';
import type { JobEvent } from 'millrace';
import { leftovers, madeTooLate, traced, type Leftover, type Traces } from './leftovers.js';
import { minimumPartSize, pipeline } from './pipeline.js';
import { SimulatedProcess, type Kind } from './process.js';
import { between, seeded } from './random.js';
import type { Fate, Scenario } from './scenario.js';
import { jumping, surroundingsOf, turnUntil } from './surroundings.js';
import { ManifestReader } from '../support/manifestReader.js';
import { audit, fill, skippedBy, type Findings, type Input } from './world.js';

export interface Result extends Findings {
  readonly records: number;
  /** Requests of each process except the last one, which only sweeps. */
  readonly calls: readonly number[];
  /** What they were. */
  readonly requests: readonly (readonly Kind[])[];
  /** The requests at which processes died or were stopped. */
  readonly struck: readonly Kind[];
  /** How each process that was not killed ended. */
  readonly outcomes: readonly Outcome[];
  readonly checkpoints: number;
  readonly kills: number;
  /** Leftovers when the job had finished, without what dead processes created too late to be found. */
  readonly left: readonly string[];
  /** Leftovers after one more start. */
  readonly leaked: readonly string[];
  readonly events: readonly JobEvent[];
}

export type Outcome = 'finished' | 'stopped' | 'fenced';

const job = 'sim';
const folders = ['out/', 'rejects/'];

/** Runs the scenario to its end. Throws if a process ends in an unexpected way, or never. */
export function simulate(scenario: Scenario): Result {
  return new Simulation(scenario).run();
}

interface Running {
  readonly process: SimulatedProcess;
  readonly traces: Traces;
  readonly events: JobEvent[];
  outcome: Outcome | undefined;
  /** When it ended by itself. */
  endedAt: number;
}

class Simulation {
  readonly #clock = new SimulatedClock(1_700_000_000_000);
  readonly #random: () => number;
  readonly #world: ObjectStore;
  readonly #input: Input;
  readonly #reader: ManifestReader;
  readonly #events: JobEvent[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(readonly scenario: Scenario) {
    this.#random = seeded(scenario.seed);
    const { completeSubset } = scenario;
    const clock = this.#clock;
    const memory = createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize, completeSubset });
    this.#reader = new ManifestReader(memory, 'out/');
    this.#world = scenario.manifests === true ? this.#reader.store : memory;
    this.#input = fill(this.#world, scenario);
  }

  run(): Result {
    const started: Running[] = [];
    for (const fate of [...this.scenario.fates, undefined]) {
      const next = this.#start(fate);
      started.push(next);
      this.#until(() => next.outcome !== undefined || next.process.state !== 'running');
      if (next.process.state === 'running' && next.outcome === 'finished') break;
    }
    const ended = (): boolean =>
      started.every(({ process, outcome }) => process.state === 'dead' || outcome !== undefined);
    this.#until(ended);
    while (this.#clock.step()); // what is still on its way to the store
    const left = this.#left(started);

    const last = this.#start(undefined, false);
    this.#until(() => last.outcome !== undefined);
    if (last.outcome !== 'finished') throw new Error('The last process was fenced, by nobody.');

    const outcomes = started.flatMap(({ outcome }) => outcome ?? []);
    if (!outcomes.includes('finished')) throw new Error('Every process was fenced.');
    const { wrong, lost, duplicated } = audit(this.#world, this.#input);
    return {
      lost,
      duplicated,
      wrong: [...wrong, ...this.#skips(), ...(this.scenario.manifests === true ? this.#reader.atEnd() : [])],
      records: this.#input.events.length,
      calls: started.map(({ process }) => process.requests.length),
      requests: started.map(({ process }) => process.requests),
      struck: started.flatMap(({ process }) => process.struck ?? []),
      outcomes,
      checkpoints: this.#events.filter(({ type }) => type === 'checkpoint-durable').length,
      kills: started.filter(({ process }) => process.state === 'dead').length,
      left,
      leaked: leftovers(this.#world, job, folders).map(({ what, key }) => `${what} ${key}`),
      events: this.#events,
    };
  }

  /** Advances the clock until `done`. */
  #until(done: () => boolean): void {
    turnUntil(this.#clock, () => done() || this.#failure !== undefined);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #start(fate: Fate | undefined, unlucky = true): Running {
    const { faults, seed } = this.scenario;
    const clock = this.#clock;
    const random = this.#random;
    const { store: world, traces } = traced(this.#world, clock);
    const unreliable =
      faults === undefined || !unlucky ? world : faulty(world, { ...faults, random, clock, delayUpTo: 60 });
    const network = delayed(unreliable, { clock, before: () => between(random, 0, 3) });
    const process = new SimulatedProcess(network, clock, fate);
    const surroundings = surroundingsOf(process, random);
    const own = this.scenario.rollsByClock ? jumping(surroundings.clock, random) : surroundings.clock;
    const { job: simulated, leaf } = pipeline(this.scenario, { ...surroundings, clock: own });
    const running: Running = { process, traces, events: [], outcome: undefined, endedAt: Infinity };
    simulated.events$.subscribe((event) => {
      this.#events.push(event);
      running.events.push(event);
      if (event.type === 'finished' || event.type === 'stopped' || event.type === 'failed')
        running.endedAt = clock.now();
      if (event.type === 'finished' || event.type === 'stopped') running.outcome = event.type;
      if (event.type !== 'failed') return;
      const error = event['error'] as Error & { readonly code?: string };
      if (error.code === 'Fenced') running.outcome = 'fenced';
      else this.#failure ??= { error: new Error(`seed ${seed}: a process failed`, { cause: error }) };
    });
    simulated.run(leaf, { signal: process.signal }).catch(() => undefined); // the event has it
    return running;
  }

  /**
   * What is left over now although the process that finished, or its maker, should have removed it. Not counted is what
   * processes made later that were killed or had ended, and what could not be removed for a failure that was reported.
   */
  #left(started: readonly Running[]): string[] {
    const epochOf = ({ events }: Running): number =>
      Math.max(0, ...events.map((event) => (event.type === 'claimed' ? event.epoch : 0)));
    const finisher = started
      .filter(({ outcome }) => outcome === 'finished')
      .reduce((a, b) => (epochOf(a) > epochOf(b) ? a : b));
    const excused = (each: Leftover): boolean =>
      started.some(({ process, traces, endedAt }) =>
        madeTooLate(each, traces, finisher.traces, process.state === 'dead' ? 0 : endedAt),
      );
    const reported = finisher.events.some(
      (event) =>
        ['sweep-skipped', 'warning'].includes(event.type) ||
        (event.type === 'garbage-deleted' && event.failed > 0),
    );
    if (reported) return [];
    return leftovers(this.#world, job, folders)
      .filter((each) => !excused(each))
      .map(({ what, key }) => `${what} ${key}`);
  }

  /** The count of skipped lines in checkpoints must be exact, too. */
  #skips(): string[] {
    const skipped = this.#input.malformed.filter(({ source }) => source === 'a').length;
    const counted = skippedBy(this.#world, `checkpoints/${job}`, 'a');
    return counted === skipped || this.scenario.shape === 'single'
      ? []
      : [`${counted} lines count as skipped, not ${skipped}`];
  }
}
