import type { Cost } from './meter.js';

/** Values that can go to another process. */
export type Params = Readonly<Record<string, string | number | boolean>>;

/**
 * What runs in a process of its own: a variant of a benchmark, or a server that variants talk to. A module exports a
 * {@link Start} for it; whatever that does before it resolves is outside every clock.
 */
export interface Workload {
  /** What the starter has to know, such as a server's endpoint. */
  readonly info?: Params;
  /** Once over the same work. Of a server: answers what happened since it was last asked. */
  round?(): Promise<Outcome>;
  /** Closes and removes all that was made. */
  close?(): Promise<void>;
}

export type Start = (params: Params) => Workload | Promise<Workload>;

export interface Outcome {
  /** Says what came out: equal for all variants of a row, or the row has failed. A function runs outside the clock. */
  readonly digest: string | (() => Promise<string>);
  /** How much was done, in the row's unit. */
  readonly amount: number;
  /** Anything else worth a metric; medians are taken. */
  readonly extra?: Readonly<Record<string, number>>;
}

export interface Measured extends Cost {
  readonly result: Outcome & { readonly digest: string };
}
