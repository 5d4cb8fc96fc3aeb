/** Events of keyed state. `operator` is the id of the `keyed(…)`. */
export type StateEvent =
  | {
      readonly type: 'segment-written';
      readonly operator: string;
      readonly object: string;
      readonly entries: number;
      readonly bytes: number;
      readonly requests: number;
    }
  | {
      readonly type: 'segments-compacted';
      readonly operator: string;
      /**
       * The segments that replace the merged ones: usually one, more if very large, none if all keys were cleared.
       */
      readonly objects: readonly string[];
      /** Segments merged. */
      readonly inputs: number;
      readonly entries: number;
      readonly bytesRead: number;
      readonly bytes: number;
      readonly requests: number;
    }
  | {
      readonly type: 'compaction-failed';
      readonly operator: string;
      readonly inputs: number;
      readonly error: unknown;
    };
