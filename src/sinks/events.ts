/** Events of sinks. `operator` is the sink's id. */
export type SinkEvent =
  | {
      /**
       * `missing-committed`: a committed file is missing, and `onMissingCommitted: 'accept'` assumes that a consumer
       * removed it.
       */
      readonly type: 'committed' | 'missing-committed';
      readonly operator: string;
      readonly uri: string;
      readonly bytes: number;
      readonly records: number;
    }
  | { readonly type: 'uploads-swept'; readonly operator: string; readonly uploads: number }
  | {
      readonly type: 'warning';
      readonly operator: string;
      /** What happened, and what to do. */
      readonly message: string;
      readonly error: unknown;
    };
