import { readableDuration, readableSize } from '../config/readable.js';
import { isRetryable, MillraceError, type MillraceErrorOptions, sharedByCopies } from '../errors.js';
import { rangeText, type KeyGroupRange } from '../state/index.js';
import type { Pending } from './manifest.js';

/** The codes of {@link CheckpointError}. */
export type CheckpointErrorCode =
  | 'ManifestCorrupt'
  | 'ManifestTooLarge'
  | 'ManifestTooNew'
  | 'ManifestNotTrusted'
  | 'MissingBucket'
  | 'LogAccessDenied'
  | 'Fenced'
  | 'CheckpointFailed'
  | 'CheckpointsNeverDurable'
  | 'DuplicateId'
  | 'LateRegistration'
  | 'UnknownParticipant'
  | 'VanishedOperator'
  | 'DroppedOperator'
  | 'DroppedPending'
  | 'GarbageReferenced'
  | 'SavepointNotFound'
  | 'SavepointIncomplete'
  | 'SavepointCorrupt'
  | 'SavepointTooNew'
  | 'SavepointOpen'
  | 'SavepointFailed'
  | 'SavepointUnpublished'
  | 'SavepointOvertaken'
  | 'SavepointExists'
  | 'NotASavepoint'
  | 'NoCheckpoint'
  | 'AlreadyStarted'
  | 'KeyGroupsChanged'
  | 'KeyGroupsMismatch'
  | 'SavepointsDiffer'
  | 'SweepTooLong';

/** An error of a job's log or checkpoints. `CheckpointFailed` is retryable, and `SavepointFailed` may be. */
export class CheckpointError extends MillraceError {
  static {
    sharedByCopies(this, 'CheckpointError');
  }

  override readonly name = 'CheckpointError';
  declare readonly code: CheckpointErrorCode;

  constructor(code: CheckpointErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(code, message, { retryable: code === 'CheckpointFailed', ...options });
  }
}

/**
 * An entry of a log that cannot be one. Also for those who only look at a store: they may find what no job has written.
 *
 * @param what a sentence about it
 */
export function manifestCorrupt(what: string, cause?: unknown): CheckpointError {
  return new CheckpointError(
    'ManifestCorrupt',
    `${what} Nothing was changed. If it belongs to a job, restore it from a version or backup of the bucket; if there is none, start that job under a new name or in another checkpoint directory. If it belongs to no job, move it away.`,
    cause === undefined ? {} : { cause },
  );
}

/** @param cause the error that the attempt met first, if any */
export function fenced(job: string, n: number, cause?: unknown): CheckpointError {
  return new CheckpointError(
    'Fenced',
    `Another process has taken over the job '${job}' (log entry ${n} is not ours). This process stops; nothing is lost. Run one process per job and checkpoint directory.`,
    cause === undefined ? {} : { cause },
  );
}

/** A checkpoint that timed out. */
export interface TimedOut {
  readonly checkpoint: number;
  /** Operators that had not acked. */
  readonly waitingFor: readonly string[];
  /** Since its barrier was sent. */
  readonly durationMs: number;
  /** Bytes of each source before the barrier that a terminal had not processed. */
  readonly buffered: Readonly<Record<string, number>>;
}

/** The message of the event and the error. */
export function timeoutMessage({ checkpoint, waitingFor, durationMs, buffered }: TimedOut): string {
  const operators = quoted(waitingFor);
  const behind = Object.entries(buffered)
    .filter(([, bytes]) => bytes > 0)
    .map(([source, bytes]) => `${readableSize(bytes)} of source '${source}'`);
  const happened = `Checkpoint ${checkpoint} failed: ${operators} had not acked it after ${readableDuration(durationMs)}`;
  return behind.length === 0
    ? `${happened}. If it stores much or slowly, set a larger checkpoints.timeout.`
    : `${happened}; ${behind.join(' and ')} before its barrier had not been processed. Set a larger checkpoints.timeout, or a smaller budget, which allows fewer records before a barrier.`;
}

export function checkpointFailed(timedOut: TimedOut): CheckpointError {
  return new CheckpointError('CheckpointFailed', timeoutMessage(timedOut));
}

/** @param last why the last of these attempts failed */
export function neverDurable(attempts: number, last: unknown): CheckpointError {
  return new CheckpointError(
    'CheckpointsNeverDurable',
    `The job makes no progress: ${attempts} attempts failed because a checkpoint timed out, and none became durable between them. Another attempt would do the same work again. ${last instanceof Error ? last.message : ''}`.trimEnd(),
    { cause: last },
  );
}

const quoted = (ids: readonly string[]): string => ids.map((id) => `'${id}'`).join(', ');

export function vanished(ids: readonly string[]): CheckpointError {
  return new CheckpointError(
    'VanishedOperator',
    `The restored checkpoint holds state for ${quoted(ids)}, but the job has no operator with that id. Put it back under the same id. If its state may be dropped, list the id in \`allowDropped\` of createJob. To start from nothing, give the job a new name or checkpoint directory.`,
  );
}

export function droppedInUse(ids: readonly string[]): CheckpointError {
  return new CheckpointError(
    'DroppedOperator',
    `allowDropped lists ${quoted(ids)}, but the job has an operator with that id, whose state it continues. Remove the id from the list, or give the operator another one.`,
  );
}

/** @param pending committed output that is not published yet */
export function droppedPending(pending: readonly Pending[]): CheckpointError {
  const sinks = [...new Set(pending.map(({ sink }) => sink))];
  const shown = pending.slice(0, 10).map(({ sink, committable: { uid, key } }) => {
    return `${sink}: ${typeof key === 'string' ? key : uid}`;
  });
  const more = pending.length > shown.length ? `, and ${pending.length - shown.length} more` : '';
  return new CheckpointError(
    'DroppedPending',
    `allowDropped lists ${quoted(sinks)}, but a completed checkpoint holds output of it that is not published yet (${shown.join('; ')}${more}). Run the job once more with the sink, and stop it, which publishes all output. Then drop the sink.`,
  );
}

export function sweepTooLong(milliseconds: number): CheckpointError {
  return new CheckpointError(
    'SweepTooLong',
    `Leftovers of earlier attempts were not removed within ${milliseconds / 1000} s. Start the job again to remove the rest, or set a lifecycle rule AbortIncompleteMultipartUpload.`,
  );
}

/** @param from the savepoints that the job is to start from */
export function alreadyStarted(job: string, from: readonly string[]): CheckpointError {
  return new CheckpointError(
    'AlreadyStarted',
    `The job '${job}' has checkpoints already, and did not begin with ${savepointsText(from)}. Nothing was changed. Remove \`from\` to continue from its newest checkpoint; to start from it, give the job a new name or another checkpoint directory.`,
  );
}

const savepointsText = (uris: readonly string[]): string =>
  `the savepoint${uris.length === 1 ? '' : 's'} ${uris.join(', ')}`;

/** A job's log has the state of other key groups than the job is to have. */
export function keyGroupsChanged(job: string, had: KeyGroupRange, given: KeyGroupRange): CheckpointError {
  return new CheckpointError(
    'KeyGroupsChanged',
    `The job '${job}' has the state of ${rangeText(had)}, and is to run with ${rangeText(given)}. Nothing was changed. Run it with keyGroups: { first: ${had.first}, last: ${had.last} }; for other key groups, make a savepoint of it, and start a job with another name from that.`,
  );
}

/** The savepoints of `from` do not have each of the job's key groups once. */
export function keyGroupsMismatch(what: string): CheckpointError {
  return new CheckpointError('KeyGroupsMismatch', `The job was not started: ${what}`);
}

/** Savepoints cannot be merged. */
export function savepointsDiffer(what: string): CheckpointError {
  return new CheckpointError('SavepointsDiffer', `The job was not started: ${what}`);
}

/** @param sinks whose work is open at the barrier of a savepoint */
export function savepointOpen(uri: string, sinks: readonly string[]): CheckpointError {
  return new CheckpointError(
    'SavepointOpen',
    `The savepoint ${uri} was not made, because ${quoted(sinks)} left work open at its barrier: the job would publish it, and a job that starts from the savepoint cannot. A sink has to close everything at a barrier whose reason is 'savepoint'. The job continues.`,
  );
}

export function savepointFailed(uri: string, cause: unknown): CheckpointError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CheckpointError(
    'SavepointFailed',
    `The savepoint ${uri} was not made: ${why} Its folder may hold objects, and has no root unless the store wrote one without answering. Make another savepoint.`,
    { cause, retryable: isRetryable(cause) },
  );
}
