/** One kind of round of the soak: something that is run with one fresh seed after the other, and counted. */
export interface Round {
  readonly name: string;
  /** Whether it can be run here; in words why not. */
  readonly missing?: string | undefined;
  /** The seed decides everything that chance decides. Rejects if something fails that is not counted. */
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
  /** What else is wrong, in words. */
  readonly wrong: readonly string[];
  /** For the progress line: what else there was to count. */
  readonly note: string;
}
