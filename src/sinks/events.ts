/** Event times, both included. Milliseconds since the epoch. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

/** Events of sinks. `operator` is the sink's id. */
export type SinkEvent =
  | {
      /**
       * `committed`: a file is published, or a batch. After a crash, the next attempt may report it again.
       *
       * `missing-committed`: a committed file is missing, and `onMissingCommitted: 'accept'` assumes that a consumer
       * removed it.
       */
      readonly type: 'committed' | 'missing-committed';
      readonly operator: string;
      readonly uri: string;
      readonly bytes: number;
      readonly records: number;
      /** The event times of a file's records, if `byTime({ timestamp })` gives them. */
      readonly times?: TimeRange;
    }
  | {
      /** An outbox hands a batch to its target again, after `delayMs` milliseconds. */
      readonly type: 'publish-retried';
      readonly operator: string;
      readonly checkpoint: number;
      /** Of the batch in the checkpoint. */
      readonly sequence: number;
      /** How often it was tried. */
      readonly tried: number;
      readonly delayMs: number;
      readonly error: unknown;
    }
  | {
      /** The target of an outbox refused a batch, which is now the object `uri`. */
      readonly type: 'batch-dead-lettered';
      readonly operator: string;
      readonly checkpoint: number;
      readonly sequence: number;
      readonly uri: string;
      readonly records: number;
      readonly reason: string;
    }
  | { readonly type: 'uploads-swept'; readonly operator: string; readonly uploads: number }
  | {
      readonly type: 'warning';
      readonly operator: string;
      /** What happened, and what to do. */
      readonly message: string;
      readonly error: unknown;
    };
