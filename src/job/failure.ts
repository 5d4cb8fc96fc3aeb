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

/** Remembers the operator in which an error arose. Errors stay what they are: nothing is written to them. */
export class Origins {
  #latest: Origin | undefined;

  /** The operator that tells of an error first is where it arose; those after it pass it on. */
  note(origin: Origin): void {
    if (this.of(origin.error) === undefined) this.#latest = origin;
  }

  of(error: unknown): Origin | undefined {
    return this.#latest !== undefined && Object.is(this.#latest.error, error) ? this.#latest : undefined;
  }
}

export interface Origin {
  readonly error: unknown;
  readonly operator: string;
  /** The record that was being handled caused it. */
  readonly ofRecord: boolean;
}
