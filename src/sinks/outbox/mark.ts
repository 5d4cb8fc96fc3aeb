import { MillraceError, sharedByCopies } from '../../errors.js';

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
}

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
        "If none has, the job's log was restored from an old backup: remove the target's marks of the job only if its records are as old.",
    );
  }
}

/**
 * Whether a target whose last mark is `last` (`undefined` if it has none) still lacks the batch of `mark`. For targets of
 * `outboxSink`: look in the transaction that stores the records and the new mark. Error: `LowerEpoch`.
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
export function isNewBatch(
  mark: OutboxMark,
  last: Pick<OutboxMark, 'epoch' | 'checkpoint' | 'sequence'> | undefined,
): boolean {
  if (last === undefined) return true;
  if (last.epoch > mark.epoch) throw new LowerEpoch(mark, last.epoch);
  if (last.checkpoint !== mark.checkpoint) return last.checkpoint < mark.checkpoint;
  return last.sequence < mark.sequence;
}
