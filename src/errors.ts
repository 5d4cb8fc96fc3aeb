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
 * Makes `instanceof` see the instances that other copies of millrace in the process made: two versions of a dependency
 * tree, or one bundled into a library, hand each other their errors. `name` is the same in every copy.
 */
export function sharedByCopies(type: { readonly prototype: object }, name: string): void {
  const brand = Symbol.for(`millrace.${name}`);
  Object.defineProperty(type.prototype, brand, { value: true });
  Object.defineProperty(type, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      // A subclass inherits this method, and tells its own instances in the ordinary way.
      if (this !== type) return Function.prototype[Symbol.hasInstance].call(this as never, value);
      return typeof value === 'object' && value !== null && brand in value;
    },
  });
}

/**
 * The base class of every error that millrace raises.
 *
 * `code` is stable across versions; match on it, not on the message. `message` says what happened and what to do.
 * Only errors with `retryable: true` restart a job.
 *
 * @example
 * ```ts
 * await job.run(clicks).catch((error: unknown) => {
 *   if (!(error instanceof MillraceError && error.code === 'Fenced')) throw error;
 *   console.log('Another process has taken over.');
 * });
 * ```
 */
export class MillraceError extends Error {
  static {
    sharedByCopies(this, 'MillraceError');
  }

  override readonly name: string = 'MillraceError';
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: MillraceErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/**
 * Whether the restart policy may try again after this error. `false` for errors that are not millrace's, such as those of a callback.
 *
 * @example
 * ```ts
 * await job.run(clicks).catch((error: unknown) => (process.exitCode = isRetryable(error) ? 75 : 1));
 * ```
 */
export function isRetryable(error: unknown): boolean {
  return error instanceof MillraceError && error.retryable;
}
