/** One kind of soak round, which runs with a fresh seed each time, and is counted. */
export interface Round {
  readonly name: string;
  /** Why it cannot run here, if so. */
  readonly missing?: string | undefined;
  /** The seed determines everything random. Rejects on a failure that is not counted. */
  run(seed: number): Promise<Tally>;
}

export interface Tally {
  readonly kills: number;
  readonly checkpoints: number;
  readonly records: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Uploads and objects that a finished job left: `upload <key>`, `object <key>`. */
  readonly leftovers: readonly string[];
  /** Descriptions of other errors. */
  readonly wrong: readonly string[];
  /** Other counts, for the progress line. */
  readonly note: string;
}
