/** What sources report to `job.events$`. `operator` is the source's id. */
export type SourceEvent = SkippedEvent | InputSkippedEvent | NotReadEvent;

export type SkippedEvent = {
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

/** Something that matches and cannot be read was left out, as `unreadable: 'skip'` asks. */
export type InputSkippedEvent = {
  readonly type: 'input-skipped';
  readonly operator: string;
  /** Its URI. */
  readonly object: string;
  readonly reason: string;
};

/** A source that had read everything before this run has input that came afterwards. Reported once for each attempt. */
export type NotReadEvent = {
  readonly type: 'input-not-read';
  readonly operator: string;
  /** How many objects, as far as one page of a listing shows. */
  readonly objects: number;
  /** There may be more than these. */
  readonly more: boolean;
  /** URI of the first. */
  readonly object: string;
  /** All of it in words, and what to do. */
  readonly message: string;
};
