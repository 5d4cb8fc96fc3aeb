import { MillraceError, type MillraceErrorOptions } from '../errors.js';

/** The codes of what can go wrong with a job's log. */
export type CheckpointErrorCode =
  | 'ManifestCorrupt'
  | 'ManifestTooNew'
  | 'MissingBucket'
  | 'LogAccessDenied'
  | 'Fenced'
  | 'CheckpointFailed'
  | 'DuplicateId'
  | 'UnknownParticipant'
  | 'VanishedOperator'
  | 'GarbageReferenced';

/** The error of everything in this room. Only `CheckpointFailed` is worth a restart. */
export class CheckpointError extends MillraceError {
  override readonly name = 'CheckpointError';
  declare readonly code: CheckpointErrorCode;

  constructor(
    code: CheckpointErrorCode,
    message: string,
    options: Omit<MillraceErrorOptions, 'retryable'> = {},
  ) {
    super(code, message, { ...options, retryable: code === 'CheckpointFailed' });
  }
}
