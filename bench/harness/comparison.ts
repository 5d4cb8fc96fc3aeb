/**
 * Compares variants of the same work. The rounds alternate, A B A B …, so that a machine that is slow for a while is
 * slow for all of them; the ratio to a baseline is the median over the rounds of the ratio within a round.
 *
 * Where variants run:
 * - `lasting`: each variant has one process for all its rounds. The heap, the JIT's verdicts about call sites and the
 *   peak of memory are its own, and the warm-up rounds bring it to the steady state that a long job lives in.
 * - `fresh`: each round has a new process, for whole programs whose start and end belong to the work. There is no
 *   warm-up then, but for the page cache and the servers: one round is dropped.
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
  readonly rounds: number;
  readonly warmups: number;
  /** Starts servers and makes data, for all variants. */
  prepare(options: RunOptions): Promise<Prepared>;
  readonly goals: readonly Goal[];
}

export interface Prepared {
  /** The first one is ours; each of the others gives a metric `vs.<name>`, our throughput over theirs, and `vs.<name>.cpu`, per CPU second. */
  readonly variants: readonly Variant[];
  /** Runs between two rounds, outside the clock, such as the removal of what was written. */
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
        const rounds = options.rounds ?? (options.quick ? 2 : row.rounds);
        const measured = await alternate(row, prepared, rounds, options);
        return report(row, prepared.variants, measured);
      } finally {
        await prepared.close?.();
      }
    },
  };
}

type Rounds = ReadonlyMap<string, readonly Measured[]>;

async function alternate(
  row: Comparison,
  prepared: Prepared,
  rounds: number,
  options: RunOptions,
): Promise<Rounds> {
  const measured = new Map<string, Measured[]>(prepared.variants.map(({ name }) => [name, []]));
  const lasting = new Map<string, Child>();
  const warmups = options.quick ? 1 : row.warmups;
  try {
    for (let round = -warmups; round < rounds; round++) {
      let digest: string | undefined;
      for (const variant of prepared.variants) {
        options.progress(
          `${row.name}: ${variant.name}, ${round < 0 ? 'warm-up' : `round ${round + 1}/${rounds}`}`,
        );
        const child = lasting.get(variant.name) ?? (await Child.start(variant.program, variant.params));
        if (row.processes === 'lasting') lasting.set(variant.name, child);
        let cost: Measured;
        try {
          cost = await child.round();
        } finally {
          if (row.processes === 'fresh') await child.close();
        }
        digest ??= cost.result.digest;
        if (cost.result.digest !== digest)
          throw new WrongResult(
            `${row.name}: ${variant.name} gives ${cost.result.digest}, but ${prepared.variants[0]!.name} ${digest}`,
          );
        if (round >= 0) measured.get(variant.name)!.push(cost);
        await prepared.between?.();
      }
    }
  } finally {
    for (const child of lasting.values()) await child.close();
  }
  return measured;
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
