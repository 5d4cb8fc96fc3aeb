/** What sources report to `job.events$`. `operator` is the source's id. */
export type SourceEvent = {
  /** Malformed records were skipped: reported once for a slice of input, with the last of them as the example. */
  readonly type: 'skipped';
  readonly operator: string;
  /** URI of the object. */
  readonly object: string;
  /** Byte offset in the (decompressed) object. */
  readonly offset: number;
  /** 1-based. */
  readonly line: number;
  readonly reason: string;
  /** Skipped so far, over the job's life. */
  readonly count: number;
};
