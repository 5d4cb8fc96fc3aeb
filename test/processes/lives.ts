/**
 * The lives of one job in real processes: they are killed, stopped for a while as another takes over, or asked to end, at
 * moments drawn from a seed, each after new durable progress, until the input is over; requests may fail on the way. One
 * more start then has nothing to do but to sweep, and the output is counted.
 *
 * Nothing here waits for a time: what happens next is driven by what processes print and what the gateway sees.
 */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { Faults, GatewayEvent } from 'millrace/testing';
import { between, seeded } from '../simulation/random.js';
import { leftoversBelow, type Audit } from './audit.js';
import { ended, finished, JobProcess } from './child.js';
import { conclude } from './conclude.js';
import { inputObject } from './input.js';
import type { Line, Task } from './job.js';
import type { Target } from './target.js';

/** `kill in savepoint`: a kill while the job makes a savepoint. */
export type Blow = 'kill' | 'kill in savepoint' | 'zombie' | 'term';

export interface LivesOptions {
  readonly target: Target;
  readonly seed: number;
  /** In this order; jobs are started over with the same input until all are dealt. */
  readonly blows: readonly Blow[];
  readonly records: number;
  /** Whether requests have transient faults. Only with a gateway. */
  readonly faults?: boolean;
}

export interface Lives extends Audit {
  readonly kills: number;
  /** Kills while a savepoint was in the making. */
  readonly cutSavepoints: number;
  readonly zombies: number;
  readonly terms: number;
  readonly checkpoints: number;
  readonly records: number;
}

const nothing: Lives = {
  kills: 0,
  cutSavepoints: 0,
  zombies: 0,
  terms: 0,
  checkpoints: 0,
  records: 0,
  lost: 0,
  duplicated: 0,
  leftovers: [],
  wrong: [],
};

/** Executes all fates. Rejects if a process ends in an unexpected way. */
export async function live(options: LivesOptions): Promise<Lives> {
  const random = seeded(options.seed);
  let sum = nothing;
  for (let job = 0; job === 0 || sum.kills + sum.zombies + sum.terms < options.blows.length; job++) {
    const blows = options.blows.slice(sum.kills + sum.zombies + sum.terms);
    sum = plus(sum, await new JobLives({ ...options, blows }, random, `job-${job}/`).run());
  }
  return sum;
}

export function plus(a: Lives, b: Lives): Lives {
  return {
    kills: a.kills + b.kills,
    cutSavepoints: a.cutSavepoints + b.cutSavepoints,
    zombies: a.zombies + b.zombies,
    terms: a.terms + b.terms,
    checkpoints: a.checkpoints + b.checkpoints,
    records: a.records + b.records,
    lost: a.lost + b.lost,
    duplicated: a.duplicated + b.duplicated,
    leftovers: [...a.leftovers, ...b.leftovers],
    wrong: [...a.wrong, ...b.wrong],
  };
}

/** For a server that stalls: a request that takes longer for other reasons is repeated, and the output is as exact. */
const patienceWithStalls = 3000;

/** Writes the input below `prefix`, and says what the job is to do there. */
export async function prepare(
  target: Target,
  prefix: string,
  records: number,
  patience = 60_000,
): Promise<Task> {
  const { s3, bucket } = target;
  const objects = 4;
  for (let i = 0; i < objects; i++) {
    const from = Math.floor((i * records) / objects);
    const body = inputObject(from, Math.floor(((i + 1) * records) / objects));
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: `${prefix}raw/${i}.ndjson`, Body: body }));
  }
  const base = `s3://${bucket}/${prefix}`;
  return {
    input: `${base}raw/*.ndjson`,
    output: `${base}out`,
    checkpoints: `${base}checkpoints`,
    padding: 2000,
    savepoints: { dir: `${base}savepoints`, every: 700 },
    pause: { every: 50, ms: 8 },
    patience,
  };
}

/** Resolves at the first checkpoint that holds records of this process; to `undefined` if it ends before. */
export function progress(process: JobProcess): Promise<Line | undefined> {
  let started: unknown;
  let beats = 0;
  return process.line(({ type, checkpoint }) => {
    if (type === 'beat') beats++;
    else if (type === 'checkpoint-started' && beats > 0) started ??= checkpoint;
    return type === 'checkpoint-durable' && started !== undefined && Number(checkpoint) >= Number(started);
  });
}

/** Transient faults of requests, before or after they take effect, at random. */
export function randomFaults(random: () => number): Faults {
  return ({ method, operation }) => {
    const fate = random();
    if (fate < 0.02) return { failure: { kind: 'answer', status: 503, code: 'SlowDown' } };
    if (fate < 0.03) return { failure: { kind: 'answer', status: 500, code: 'InternalError' } };
    if (fate < 0.045) return { failure: { kind: 'reset' } };
    if (fate < 0.06) return { failure: { kind: 'lose-answer' } };
    if (fate < 0.07) return { failure: { kind: 'answer-after', status: 500, code: 'InternalError' } };
    if (fate < 0.072) return { failure: { kind: 'stall', at: random() < 0.5 ? 'start' : 'answer' } };
    if (fate < 0.08 && method === 'GET' && operation === 'GetObject')
      return { failure: { kind: 'cut', at: 1000 } };
    return fate < 0.1 ? { delay: between(random, 1, 50) } : undefined;
  };
}

class JobLives {
  readonly #options: LivesOptions;
  readonly #random: () => number;
  readonly #prefix: string;
  readonly #processes: JobProcess[] = [];
  /** Stopped processes, which continue while their successor runs. */
  readonly #stopped: JobProcess[] = [];
  readonly #zombies: Promise<void>[] = [];
  #dealt = { kills: 0, cutSavepoints: 0, zombies: 0, terms: 0 };

  constructor(options: LivesOptions, random: () => number, prefix: string) {
    this.#options = options;
    this.#random = random;
    this.#prefix = prefix;
  }

  async run(): Promise<Lives> {
    const { target, records, faults = false } = this.#options;
    const patience = faults ? patienceWithStalls : undefined;
    const task = await prepare(target, this.#prefix, records, patience);
    if (target.hooks !== undefined && faults) target.hooks.faults = randomFaults(this.#random);
    try {
      const blows = [...this.#options.blows];
      for (let over = false; !over;) {
        const process = new JobProcess(task, target.env);
        this.#processes.push(process);
        for (const zombie of this.#stopped.splice(0)) this.#zombies.push(this.#haunt(zombie, process));
        const blow = blows[0];
        if (blow !== undefined && (await this.#moment(process, blow))) {
          if (await this.#deal(blow, process)) blows.shift();
          else over = finished(await process.exit);
        } else over = finished(await process.exit);
      }
      await Promise.all(this.#zombies);
      const left = await this.#left();
      const audit = await conclude(target, task, this.#prefix, records);
      const leftovers = [...left, ...audit.leftovers];
      return { ...this.#dealt, ...audit, leftovers, records, checkpoints: this.#checkpoints() };
    } finally {
      await Promise.all(this.#processes.map((each) => each.end()));
    }
  }

  /**
   * What is left over when the job has finished. A request of a zombie, withdrawn as it ended, may have been executed later;
   * what could not be removed is reported. In both cases it is the next start's to remove.
   */
  async #left(): Promise<string[]> {
    const { target } = this.#options;
    const last = this.#processes.at(-1)?.lines ?? [];
    const reported = last.some(
      ({ type, failed = 0 }) => ['sweep-skipped', 'warning'].includes(type) || failed !== 0,
    );
    if (reported || this.#dealt.zombies > 0) return [];
    return leftoversBelow(target.s3, target.bucket, this.#prefix);
  }

  /**
   * Waits for durable progress, and then for a random number of events. Returns `false` if the process ends first.
   */
  async #moment(process: JobProcess, blow: Blow): Promise<boolean> {
    if ((await progress(process)) === undefined) return false;
    const { hooks } = this.#options.target;
    const inSavepoint = blow === 'kill in savepoint';
    if (inSavepoint && (await process.line(({ type }) => type === 'savepoint-requested')) === undefined)
      return false;
    // Of the events of a savepoint, few, as it has few.
    let left = between(this.#random, 0, inSavepoint ? 12 : 25);
    const folder = `${this.#prefix}savepoints/`;
    return new Promise((resolve, reject) => {
      let over = false;
      const happened = (): void => {
        if (left-- > 0) return;
        done(true);
      };
      const observed = ({ key }: GatewayEvent): void => {
        if (!inSavepoint || key.startsWith(folder)) happened();
      };
      const printed = ({ type }: Line): void => {
        if (inSavepoint && type === 'savepoint-made') done(true);
        else if (!inSavepoint || hooks === undefined) happened();
      };
      const done = (alive: boolean): void => {
        // A stopped process exits during the moment of its successor, whose observer stays.
        if (over) return;
        over = true;
        if (hooks !== undefined) hooks.observe = () => undefined;
        stop();
        resolve(alive);
      };
      const stop = process.listen(printed);
      if (hooks !== undefined) hooks.observe = observed;
      process.exit.then(() => done(false), reject);
    });
  }

  /** Returns `false` if the process has ended first. */
  async #deal(blow: Blow, process: JobProcess): Promise<boolean> {
    if (blow === 'zombie') {
      process.signal('SIGSTOP');
      if (!process.alive) return false;
      this.#dealt.zombies++;
      this.#stopped.push(process);
      return true;
    }
    process.signal(blow === 'term' ? 'SIGTERM' : 'SIGKILL');
    const exit = await process.exit;
    if (blow !== 'term') {
      if (exit.signal !== 'SIGKILL') {
        finished(exit);
        return false;
      }
      this.#dealt.kills++;
      if (isSaving(process)) this.#dealt.cutSavepoints++;
      return true;
    }
    if (exit.code !== 0) throw ended(exit);
    if (exit.last?.['outcome'] === 'finished') return false;
    this.#dealt.terms++;
    return true;
  }

  /** A stopped process continues some time after the next one has claimed the log: it may only end as fenced. */
  async #haunt(zombie: JobProcess, successor: JobProcess): Promise<void> {
    let left = between(this.#random, 0, 20);
    await successor.line(({ type }) => type === 'claimed');
    await successor.line(() => left-- <= 0);
    zombie.signal('SIGCONT');
    const exit = await zombie.exit;
    if (exit.last?.code !== 'Fenced' && exit.last?.['outcome'] !== 'finished') throw ended(exit);
  }

  #checkpoints(): number {
    const lines = this.#processes.flatMap((process) => process.lines);
    return lines.filter(({ type }) => type === 'checkpoint-durable').length;
  }
}

/** Whether a savepoint that a process was asked for is not complete. */
function isSaving({ lines }: JobProcess): boolean {
  const last = (wanted: string): number => lines.findLastIndex(({ type }) => type === wanted);
  return last('savepoint-requested') > Math.max(last('savepoint-made'), last('savepoint-refused'));
}
