/**
 * The one error language of millrace. Every room throws subclasses of {@link MillraceError}, or the class
 * itself with a code of its own; nothing else leaves the library but what a user's own callback threw.
 */

/** Options common to all errors. */
export interface MillraceErrorOptions {
  /** The error underneath, if any. */
  readonly cause?: unknown;
  /** Whether the same work may succeed when it is tried again: what the restart policy asks. Default `false`. */
  readonly retryable?: boolean;
}

/**
 * The base class of every error that millrace raises.
 *
 * `code` is stable across versions; match on it, not on the message. `message` says what happened and what to do.
 * Only errors with `retryable: true` restart a job.
 */
export class MillraceError extends Error {
  override readonly name: string = 'MillraceError';
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: MillraceErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** Whether the restart policy may try again after this error. Foreign errors (a user's callback) may not. */
export function isRetryable(error: unknown): boolean {
  return error instanceof MillraceError && error.retryable;
}
