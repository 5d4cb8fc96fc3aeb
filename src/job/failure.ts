/** Where an attempt failed, as far as known. */
export type FailurePlace = {
  /** The operator in which the error occurred: its id, or `records(…)` and the like. */
  readonly operator?: string;
  /** The record being handled: its source, the URI of its object, its byte offset in the (decompressed) object. */
  readonly source?: string;
  readonly object?: string;
  readonly offset?: number;
  /** 1-based. */
  readonly line?: number;
};

/** The failure of an attempt: the original error, and its place, as far as known. */
export class AttemptFailure {
  constructor(
    readonly error: unknown,
    readonly place: FailurePlace,
  ) {}
}

/** Remembers the operator in which an error occurred, without modifying the error. */
export class Origins {
  #latest: Origin | undefined;

  /** The error occurred in the operator that reports it first; others pass it on. */
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
  /** Whether the current record caused it. */
  readonly ofRecord: boolean;
}

/** The end of a run that its caller has aborted. Never leaves the library. */
export class RunAborted extends Error {
  constructor(readonly reason: unknown) {
    super('The run was aborted.');
  }
}
