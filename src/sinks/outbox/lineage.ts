/**
 * Which attempts have made the batches of a sink, as far as the job's log goes back.
 *
 * A target that has the batch with a number has not necessarily *this* batch: if the log is restored from a backup, new batches get
 * numbers that the lost part of the log has used. Epochs do not help, since they are counted from the backup as well. So each attempt draws
 * an *origin*, which its batches keep, and (origin, checkpoint, sequence) always names the same batch.
 *
 * A target answers for batches in order, and the log names each batch until the target has answered for it. So the last batch of the
 * target is one of these, seen from an attempt:
 *
 * 1. one that the restored checkpoint names, or an earlier one: its predecessors, or this attempt's own;
 * 2. one that this attempt has made.
 *
 * Any other last batch is of another history: see `isNewBatch`.
 */

/** Batches of the checkpoints `from` to `to` were made by `origin`. */
export interface OutboxOrigin {
  /** Absent: of an earlier version, which had none. */
  readonly origin?: string | undefined;
  /** Of that attempt. Its batches were published by it or by a later one. */
  readonly epoch: number;
  readonly from: number;
  /** Absent: more may follow. */
  readonly to?: number | undefined;
}

interface RestoredBatches {
  /** Has the epoch of the attempt that made them: see `uids.ts`. */
  readonly uid: string;
  readonly origin?: string | undefined;
  readonly checkpoint: number;
}

export class Lineage {
  readonly origin: string;
  #restored: readonly OutboxOrigin[] = [];
  #own: OutboxOrigin | undefined;

  /** @param random uniform in [0, 1) */
  constructor(
    private readonly epoch: number,
    random: () => number,
  ) {
    this.origin = Math.floor(random() * 2 ** 52).toString(36);
  }

  /** The restored checkpoint names these batches. Call it in their order. */
  restored({ uid, origin, checkpoint }: RestoredBatches): void {
    const epoch = Number(uid.split('-').at(-2));
    const last = this.#restored.at(-1);
    const same = last !== undefined && last.origin === origin && last.epoch === epoch;
    const range: OutboxOrigin = { origin, epoch, from: same ? last.from : checkpoint, to: checkpoint };
    this.#restored = [...(same ? this.#restored.slice(0, -1) : this.#restored), range];
  }

  /** This attempt has a barrier. */
  barrier(checkpoint: number): void {
    this.#own ??= { origin: this.origin, epoch: this.epoch, from: checkpoint };
  }

  /** Where the last batch of the target can be from, earliest first. What comes before the first range is not known. */
  get history(): readonly OutboxOrigin[] {
    return this.#own === undefined ? this.#restored : [...this.#restored, this.#own];
  }
}

/** Whether the target's last batch can be of this history. An origin that is not known, or empty, matches each. */
export function isOf(
  history: readonly OutboxOrigin[],
  last: {
    readonly epoch: number;
    readonly checkpoint: number;
    readonly origin?: string | null | undefined;
  },
): boolean {
  const { checkpoint } = last;
  const [first] = history;
  if (first === undefined || checkpoint < first.from) return true;
  const of = last.origin === '' ? undefined : (last.origin ?? undefined);
  return history.some(
    ({ origin, epoch, from, to = Infinity }) =>
      from <= checkpoint &&
      checkpoint <= to &&
      epoch <= last.epoch &&
      (origin === undefined || of === undefined || origin === of),
  );
}
