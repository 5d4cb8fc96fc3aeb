/**
 * Compares variants of the same work. Rounds alternate, A B A B …, so that a temporary slowdown of the machine
 * affects all variants. The ratio to a baseline is the median of the ratios within each round.
 *
 * Where variants run:
 * - `lasting`: each variant has one process for many rounds. The heap, the JIT's verdicts about call sites and the
 *   peak of memory are its own, and the warm-up rounds bring it to the steady state that a long job lives in.
 *   Where a process lies in memory may matter more than what it does: of four that ran one program in turns, the one
 *   started first was slower than the last by a fifth, in every round. So all of them start anew as often as there are
 *   variants, and each variant is the first once.
 * - `fresh`: each round has a new process, for whole programs whose start and end belong to the work. There is no
 *   warm-up then, but for the page cache and the servers: one round is dropped. Who comes first takes turns.
 */
import { Child, type Program } from './childProcess.js';
import { judge, WrongResult, type Goal, type Report, type Row, type RunOptions } from './row.js';
import { median, summarize } from './stats.js';
import type { Measured, Params } from './workload.js';

export interface Comparison {
  readonly name: string;
  readonly title: string;
  /** What an outcome's `amount` counts: `records`, `bytes`. */
  readonly unit: string;
  readonly processes: 'lasting' | 'fresh';
  /** For `lasting` processes: rounds of each process. */
  readonly rounds: number;
  /** Before them. */
  readonly warmups: number;
  /** Starts servers and creates data for all variants. */
  prepare(options: RunOptions): Promise<Prepared>;
  readonly goals: readonly Goal[];
}

export interface Prepared {
  /**
   * The first is ours. Each other one adds the metrics `vs.<name>`, our throughput divided by theirs, and
   * `vs.<name>.cpu`, per CPU second.
   */
  readonly variants: readonly Variant[];
  /** Runs between rounds and is not measured, such as the removal of output. */
  between?(): Promise<void>;
  close?(): Promise<void>;
}

export interface Variant {
  readonly name: string;
  readonly program: Program;
  readonly params: Params;
}

export function comparison(row: Comparison): Row {
  return {
    name: row.name,
    title: row.title,
    async run(options) {
      const prepared = await row.prepare(options);
      try {
        const measured = await alternate(row, prepared, options);
        return report(row, prepared.variants, measured);
      } finally {
        await prepared.close?.();
      }
    },
  };
}

type Rounds = ReadonlyMap<string, readonly Measured[]>;

async function alternate(row: Comparison, prepared: Prepared, options: RunOptions): Promise<Rounds> {
  const { variants } = prepared;
  const rounds = options.rounds ?? (options.quick ? 1 : row.rounds);
  const warmups = options.quick ? 1 : row.warmups;
  const measured = new Map<string, Measured[]>(variants.map(({ name }) => [name, []]));
  /** One round of all variants; `child` returns a variant's process. */
  const round = async (order: readonly Variant[], counts: boolean, child: Processes): Promise<void> => {
    const digests = new Map<string, string>();
    for (const variant of order) {
      options.progress(`${row.name}: ${counts ? 'round' : 'warm-up'}, ${variant.name}`);
      const cost = await child(variant, (process) => process.round());
      digests.set(variant.name, cost.result.digest);
      if (counts) measured.get(variant.name)!.push(cost);
      await prepared.between?.();
    }
    agree(row, variants, digests);
  };
  if (row.processes === 'fresh') {
    for (let n = -warmups; n < rounds; n++) await round(rotated(variants, n + warmups), n >= 0, oneByOne);
  } else {
    for (let first = 0; first < (options.quick ? 1 : variants.length); first++) {
      const order = rotated(variants, first);
      await together(order, async (child) => {
        for (let n = -warmups; n < rounds; n++) await round(order, n >= 0, child);
      });
    }
  }
  return measured;
}

type Processes = <T>(variant: Variant, use: (process: Child) => Promise<T>) => Promise<T>;

const oneByOne: Processes = async (variant, use) => {
  const process = await Child.start(variant.program, variant.params);
  try {
    return await use(process);
  } finally {
    await process.close();
  }
};

/** Starts the variants' processes in this order, and keeps them until `work` is done. */
async function together(order: readonly Variant[], work: (child: Processes) => Promise<void>): Promise<void> {
  const processes = new Map<Variant, Child>();
  try {
    for (const variant of order) processes.set(variant, await Child.start(variant.program, variant.params));
    await work((variant, use) => use(processes.get(variant)!));
  } finally {
    for (const process of processes.values()) await process.close();
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function agree(row: Comparison, variants: readonly Variant[], digests: ReadonlyMap<string, string>): void {
  const ours = variants[0]!.name;
  for (const { name } of variants) {
    if (digests.get(name) === digests.get(ours)) continue;
    throw new WrongResult(
      `${row.name}: ${name} gives ${String(digests.get(name))}, but ${ours} ${String(digests.get(ours))}`,
    );
  }
}

function report(row: Comparison, variants: readonly Variant[], rounds: Rounds): Report {
  const metrics: Record<string, number> = {};
  const [ours] = variants;
  for (const { name } of variants) {
    const of = rounds.get(name)!;
    const seconds = summarize(of.map((m) => m.seconds));
    metrics[`${name}.${row.unit}PerSecond`] = median(of.map(speed));
    metrics[`${name}.seconds`] = seconds.median;
    metrics[`${name}.secondsMin`] = seconds.min;
    metrics[`${name}.secondsMax`] = seconds.max;
    metrics[`${name}.secondsMad`] = seconds.mad;
    metrics[`${name}.cpuSeconds`] = median(of.map((m) => m.cpuSeconds));
    metrics[`${name}.peakMB`] = Math.max(...of.map((m) => m.peakBytes)) / 1e6;
    for (const extra of Object.keys(of[0]?.result.extra ?? {}))
      metrics[`${name}.${extra}`] = median(of.map((m) => m.result.extra?.[extra] ?? Number.NaN));
    if (name === ours!.name) continue;
    const ratios = summarize(rounds.get(ours!.name)!.map((m, i) => speed(m) / speed(of[i]!)));
    metrics[`vs.${name}`] = ratios.median;
    metrics[`vs.${name}.min`] = ratios.min;
    metrics[`vs.${name}.max`] = ratios.max;
    metrics[`vs.${name}.cpu`] = median(rounds.get(ours!.name)!.map((m, i) => thrift(m) / thrift(of[i]!)));
  }
  return { name: row.name, metrics, goals: judge(row.goals, metrics) };
}

const speed = (m: Measured): number => m.result.amount / m.seconds;

/** Work per CPU second. */
const thrift = (m: Measured): number => m.result.amount / m.cpuSeconds;
