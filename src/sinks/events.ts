/** Events of sinks. `operator` is the sink's id. */
export type SinkEvent =
  | {
      /** `missing-committed`: the file was published before, and a consumer has removed it (`onMissingCommitted: 'accept'`). */
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
