import { MillraceError, sharedByCopies } from '../../errors.js';
import { PoisonBatch } from './errors.js';
import { isOf, type OutboxOrigin } from './lineage.js';

/**
 * The place of a batch in the history of a job's sink. A target that stores it in the same transaction as the records can tell
 * batches that it has from those that it has not.
 */
export interface OutboxMark {
  /** Drawn when the job first started, and kept for the life of its log. */
  readonly jobId: string;
  /** The sink's id. */
  readonly sink: string;
  /** The checkpoint that the batch is part of. */
  readonly checkpoint: number;
  /** Counts the batches of the sink in that checkpoint, from 0. A number may be missing: that batch is in the dead letters. */
  readonly sequence: number;
  /**
   * The attempt that publishes the batch. The same batch may come with several. Targets refuse those below the highest one that
   * they have seen.
   */
  readonly epoch: number;
  /**
   * Names the attempt that has made the batch, whichever publishes it. It is drawn at random, so it is not the same again if the log is
   * restored from a backup. Store it with the other fields. Absent: the batch was made by an earlier version.
   */
  readonly origin?: string | undefined;
  /** Where the last batch of the target can be from, if its mark is of the same history. For {@link isNewBatch}; need not be stored. */
  readonly history?: readonly OutboxOrigin[] | undefined;
}

/** For messages. */
export const batchOf = ({ sink, checkpoint, sequence }: OutboxMark): string =>
  `batch ${sequence} of checkpoint ${checkpoint} of sink '${sink}'`;

/** What a target remembers: of its last batch the mark, or some of its fields. */
export type OutboxLastMark = Pick<OutboxMark, 'epoch' | 'checkpoint' | 'sequence'> & {
  readonly origin?: string | null | undefined;
  /** Only the mark was stored, as the batch goes to the dead letters: see {@link isPublished}. */
  readonly skipped?: boolean | null | undefined;
};

/** A target has seen a later attempt of the job than the one that publishes. Code `LowerEpoch`. */
export class LowerEpoch extends MillraceError {
  static {
    sharedByCopies(this, 'LowerEpoch');
  }

  override readonly name = 'LowerEpoch';

  constructor(mark: OutboxMark, epoch: number) {
    super(
      'LowerEpoch',
      `The target of sink '${mark.sink}' has seen attempt ${epoch} of the job ${mark.jobId}; this is attempt ${mark.epoch}, so another process has taken over. ` +
        `If none has, the job's log was restored from a backup that is older than the target. ${advice}`,
    );
  }
}

/** A target has a batch that is not in the history of the job: the log is older than the target. Code `TargetAhead`. */
export class TargetAhead extends MillraceError {
  static {
    sharedByCopies(this, 'TargetAhead');
  }

  override readonly name = 'TargetAhead';

  constructor(mark: OutboxMark, { checkpoint, sequence, epoch }: OutboxLastMark) {
    super(
      'TargetAhead',
      `The target of sink '${mark.sink}' has batch ${sequence} of checkpoint ${checkpoint}, from attempt ${epoch} of the job ${mark.jobId}, and the job's log has no such batch. ` +
        `So the log was restored from a backup that is older than the target. Nothing was published. ${advice}`,
    );
  }
}

const advice =
  'Restore the newest entries of the log; or the target from a backup that is as old as the log. If records that the target has may come again, remove its mark of the job and the sink instead, and start the job.';

/**
 * Whether a target whose last mark is `last` (`undefined` if it has none) still lacks the batch of `mark`. For targets of
 * `outboxSink`: look in the transaction that stores the records and the new mark. Store `epoch`, `checkpoint`, `sequence` and `origin`.
 * Without `origin`, it is less often noticed that the log was restored from a backup.
 *
 * Errors: `LowerEpoch`, `TargetAhead`.
 *
 * @example
 * ```ts
 * class Table {
 *   readonly rows: unknown[] = [];
 *   #last: OutboxMark | undefined;
 *   add(batch: readonly unknown[], mark: OutboxMark): void {
 *     if (!isNewBatch(mark, this.#last)) return;
 *     this.rows.push(...batch);
 *     this.#last = mark;
 *   }
 * }
 * ```
 */
export function isNewBatch(mark: OutboxMark, last: OutboxLastMark | undefined): boolean {
  const order = orderOf(mark, last);
  if (order === 0 && last?.skipped === true) throw refusedBefore(mark);
  return order > 0;
}

/** Positive if the batch comes after the last one, 0 if it is the last one. */
function orderOf(mark: OutboxMark, last: OutboxLastMark | undefined): number {
  if (last === undefined) return 1;
  if (last.epoch > mark.epoch) throw new LowerEpoch(mark, last.epoch);
  if (!isOf(mark.history ?? [], last)) throw new TargetAhead(mark, last);
  return mark.checkpoint - last.checkpoint || mark.sequence - last.sequence;
}

/** The log was restored from a backup that is older than the decision, or an attempt that is over asks. */
function refusedBefore({ sink, checkpoint, sequence }: OutboxMark): PoisonBatch {
  return new PoisonBatch(
    `The target of sink '${sink}' has refused batch ${sequence} of checkpoint ${checkpoint} before, and has its mark without its records.`,
  );
}

/**
 * Whether a target whose last mark is `last` (`undefined` if it has none) has the batch of `mark`: the answer of `published` of
 * `outboxSink`. If it has not, store the mark with `skipped: true` in the transaction that looks: then {@link isNewBatch} refuses a
 * try of the batch that is still on its way, and the answer remains `false`.
 *
 * Errors: `LowerEpoch`, `TargetAhead`.
 *
 * @example
 * ```ts
 * let last: (OutboxMark & { skipped?: boolean }) | undefined;
 * clicks.pipe(
 *   outboxSink('table', {
 *     publish: (batch, mark) => {
 *       if (isNewBatch(mark, last)) last = mark; // and store the batch
 *       return [];
 *     },
 *     published: (batch, mark) => {
 *       const has = isPublished(mark, last);
 *       if (!has) last = { ...mark, skipped: true };
 *       return [has];
 *     },
 *     onPoison: { deadLetter: 's3://lake/rejects' },
 *   }),
 * );
 * ```
 */
export function isPublished(mark: OutboxMark, last: OutboxLastMark | undefined): boolean {
  const order = orderOf(mark, last);
  // If the target has a later batch, nothing is left to do: an earlier attempt, which did not know that this one is poison, has published it,
  // or one that did has written the dead letter, since no later batch is published before that.
  return order < 0 || (order === 0 && last?.skipped !== true);
}
