import { MillraceError, type MillraceErrorOptions, sharedByCopies } from '../../errors.js';

/**
 * - `SamePlace`: source and target are one object or directory.
 * - `IntoItself`: a directory into its own subdirectory.
 * - `Overlap`: the copy would overwrite objects that it has not read yet.
 * - `OutsideTarget`: a link in the target directory leads out of it.
 * - `NotEmpty`: a directory with content, without `recursive`.
 * - `WholeBucket`: a whole bucket, without `wholeBucket`.
 * - `NotVerified`: the target is not what a move has copied, so the source stays.
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

/** An operation that was refused, or failed in part. Errors of stores are passed on as `StoreError`. */
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

/** An operation stops after this many failures, to bound its memory. */
export const mostFailures = 1000;

/** The failure of one object. */
export interface Failure {
  readonly uri: string;
  readonly error: Error;
}

/** Some of several objects failed; the others are done. Codes `RemoveFailed`, `AbortFailed`, `CopyFailed`, `ListFailed`. */
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

/** The error of two names for the same object or directory. */
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
