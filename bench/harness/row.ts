/** One row of the report: a measurement, and its goals. */
export interface Row {
  readonly name: string;
  /** One line for `--help`. */
  readonly title: string;
  run(options: RunOptions): Promise<Report>;
}

export interface RunOptions {
  /** Small sizes: shows that everything works, not how fast. */
  readonly quick: boolean;
  /** Overrides the row's own number of rounds. */
  readonly rounds?: number;
  /** Reports progress to a person. */
  readonly progress: (text: string) => void;
}

export type Metrics = Readonly<Record<string, number>>;

export interface Report {
  readonly name: string;
  readonly metrics: Metrics;
  readonly goals: readonly GoalResult[];
}

export interface Goal {
  readonly metric: string;
  readonly goal: number;
  /** Whether the value should be at least or at most the goal. */
  readonly is: 'at least' | 'at most';
}

export interface GoalResult {
  readonly metric: string;
  readonly value: number;
  readonly goal: number;
  readonly met: boolean;
}

/** Thrown when variants disagree about the result, which makes the figures meaningless. */
export class WrongResult extends Error {
  override readonly name = 'WrongResult';
}

export function judge(goals: readonly Goal[], metrics: Metrics): GoalResult[] {
  return goals.map(({ metric, goal, is }) => {
    const value = metrics[metric];
    if (value === undefined) throw new Error(`no metric ${metric}`);
    return { metric, value, goal, met: is === 'at least' ? value >= goal : value <= goal };
  });
}
