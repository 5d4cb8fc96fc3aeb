/** Where an attempt failed, as far as that is known. */
export type FailurePlace = {
  /** The operator in which the error arose: its id, or `records(…)` and the like. */
  readonly operator?: string;
  /** The record that was being handled: its source, the URI of its object, its byte offset in the (decompressed) object. */
  readonly source?: string;
  readonly object?: string;
  readonly offset?: number;
  /** 1-based. */
  readonly line?: number;
};

/** What an attempt ends with: the error itself, untouched, and what is known of its place. */
export class AttemptFailure {
  constructor(
    readonly error: unknown,
    readonly place: FailurePlace,
  ) {}
}
