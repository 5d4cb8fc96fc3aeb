import type { Cost } from './meter.js';

/** Values that can be sent to another process. */
export type Params = Readonly<Record<string, string | number | boolean>>;

/**
 * Runs in its own process: a variant of a benchmark, or a server for variants. A module exports a {@link Start} for
 * it; work before that resolves is not measured.
 */
export interface Workload {
  /** Information for the starter, such as a server's endpoint. */
  readonly info?: Params;
  /** Does the work once. For a server: returns what happened since the last call. */
  round?(): Promise<Outcome>;
  /** Closes and removes everything that was created. */
  close?(): Promise<void>;
}

export type Start = (params: Params) => Workload | Promise<Workload>;

export interface Outcome {
  /** Identifies the result, which must be equal for all variants of a row. A function is not measured. */
  readonly digest: string | (() => Promise<string>);
  /** The amount of work, in the row's unit. */
  readonly amount: number;
  /** Other metrics, of which medians are reported. */
  readonly extra?: Readonly<Record<string, number>>;
}

export interface Measured extends Cost {
  readonly result: Outcome & { readonly digest: string };
}
