import { MillraceError, type MillraceErrorOptions, sharedByCopies } from '../../errors.js';

/**
 * - `SamePlace`: source and target are one object or directory.
 * - `IntoItself`: a directory into its own subdirectory.
 * - `Overlap`: the copy would write over what it has still to read.
 * - `OutsideTarget`: a link in the target directory leads a key out of it.
 * - `NotEmpty`: a directory with content, and `recursive` was not said.
 * - `WholeBucket`: a bucket as a whole, and `wholeBucket` was not said.
 * - `NotVerified`: what a move has copied is not what is there now, so the source stays.
 */
export type OperationErrorCode =
  | 'SamePlace'
  | 'IntoItself'
  | 'Overlap'
  | 'OutsideTarget'
  | 'NotEmpty'
  | 'WholeBucket'
  | 'NotVerified'
  | 'RemoveFailed'
  | 'AbortFailed'
  | 'CopyFailed'
  | 'ListFailed';

/** An operation that was refused, or that went wrong in parts. What stores say comes as it is: `StoreError`. */
export class OperationError extends MillraceError {
  static {
    sharedByCopies(this, 'OperationError');
  }

  override readonly name: string = 'OperationError';
  declare readonly code: OperationErrorCode;

  constructor(code: OperationErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(code, message, options);
  }
}

/** What an operation gives up after: more of the same would tell nothing new, and take memory. */
export const mostFailures = 1000;

/** One of those that failed. */
export interface Failure {
  readonly uri: string;
  readonly error: Error;
}

/** Of several objects, these failed; the others are done. Codes `RemoveFailed`, `AbortFailed`, `CopyFailed`, `ListFailed`. */
export class PartlyFailed extends OperationError {
  static {
    sharedByCopies(this, 'PartlyFailed');
  }

  override readonly name = 'PartlyFailed';
  readonly failures: readonly Failure[];

  constructor(
    code: 'RemoveFailed' | 'AbortFailed' | 'CopyFailed' | 'ListFailed',
    done: string,
    failures: readonly Failure[],
    options: { readonly more?: boolean } = {},
  ) {
    const [first] = failures;
    const count = `${failures.length}${options.more === true ? ' or more' : ''}`;
    super(
      code,
      `${count} ${failures.length === 1 && options.more !== true ? 'object was' : 'objects were'} not ${done}; the first: ${
        first?.uri ?? ''
      }: ${first?.error.message ?? ''} See \`failures\`, and run it again for what is left.`,
      {
        cause: first?.error,
        retryable: failures.every(({ error }) => error instanceof MillraceError && error.retryable),
      },
    );
    this.failures = failures;
  }
}

/** Two names, of objects or directories, are one thing. */
export function samePlace(from: string, to: string): OperationError {
  const both =
    from === to
      ? `Source and target are both ${to}.`
      : `${from} and ${to} are the same, under two names: nothing was changed.`;
  return new OperationError('SamePlace', `${both} Name another target.`);
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
