import { MillraceError, type MillraceErrorOptions, sharedByCopies } from '../errors.js';

/** The codes of what can go wrong with a job's log. */
export type CheckpointErrorCode =
  | 'ManifestCorrupt'
  | 'ManifestTooNew'
  | 'MissingBucket'
  | 'LogAccessDenied'
  | 'Fenced'
  | 'CheckpointFailed'
  | 'DuplicateId'
  | 'LateRegistration'
  | 'UnknownParticipant'
  | 'VanishedOperator'
  | 'GarbageReferenced'
  | 'SweepTooLong';

/** The error of everything in this room. Only `CheckpointFailed` is worth a restart. */
export class CheckpointError extends MillraceError {
  static {
    sharedByCopies(this, 'CheckpointError');
  }

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

/** @param cause what the attempt stumbled over before it knew, if anything */
export function fenced(job: string, n: number, cause?: unknown): CheckpointError {
  return new CheckpointError(
    'Fenced',
    `Another process has taken over the job '${job}' (log entry ${n} is not ours to write). This one stops; nothing is lost. Run one process per job and checkpoint directory.`,
    cause === undefined ? {} : { cause },
  );
}

export function checkpointFailed(checkpoint: number, waitingFor: readonly string[]): CheckpointError {
  return new CheckpointError(
    'CheckpointFailed',
    `Checkpoint ${checkpoint} was not acked in time by ${waitingFor.join(', ') || 'an earlier barrier'}. If uploads are slow, raise the checkpoint timeout or the tolerable failures.`,
  );
}

export function vanished(ids: readonly string[]): CheckpointError {
  return new CheckpointError(
    'VanishedOperator',
    `The restored checkpoint holds state for ${ids.map((id) => `'${id}'`).join(', ')}, but no operator of that id is in the job. Put it back under the same id, or start the job with a new name or checkpoint directory.`,
  );
}

export function sweepTooLong(milliseconds: number): CheckpointError {
  return new CheckpointError(
    'SweepTooLong',
    `What earlier attempts of the job left was not removed within ${milliseconds / 1000} s; the rest stays until the job is started again. Start it again, or set a lifecycle rule AbortIncompleteMultipartUpload.`,
  );
}
