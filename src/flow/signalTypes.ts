import type { Observable } from 'rxjs';

/** The brand of every signal. `Symbol.for`, so that two copies of millrace in one process agree. */
export const signal: unique symbol = Symbol.for('millrace.signal') as never;

/** Why a checkpoint is taken. A `stop` flushes nothing; `final` comes after {@link End}. */
export type CheckpointReason = 'periodic' | 'savepoint' | 'stop' | 'final';

/** Whether no barrier follows one of this kind in its attempt, nor any record. */
export function isLast(reason: CheckpointReason): reason is 'stop' | 'final' {
  return reason === 'stop' || reason === 'final';
}

/** The boundary of checkpoint `checkpoint`: it includes everything before the barrier, and nothing after. */
export interface Barrier {
  readonly [signal]: 'barrier';
  /** The checkpoint's id: 1, 2, … over the job's life; gaps are failed checkpoints. */
  readonly checkpoint: number;
  readonly reason: CheckpointReason;
  /**
   * Acknowledges that what `id` froze at this barrier is stored. Exactly once per registered participant. Late acks
   * are fine, even after a newer checkpoint has subsumed this one.
   */
  ack(id: string, frozen: Frozen): void;
  /** Emits once: the checkpoint became durable, or a newer one subsumed it. */
  readonly outcome: Observable<'durable' | 'subsumed'>;
}

/** What a participant contributes to a checkpoint's manifest. All of it is JSON. */
export interface Frozen {
  /** What the operator needs to continue from here; returned as `Restored.snapshot`. */
  readonly snapshot?: Json;
  /** Work in progress. Committed as it is if this checkpoint is restored. */
  readonly open?: readonly Committable[];
  /** Finished work, to be committed once durable. Every manifest repeats it until it is confirmed. */
  readonly closed?: readonly Committable[];
  /** Keys (below the job's checkpoint directory) of the data objects that `snapshot` refers to. */
  readonly objects?: readonly string[];
  /** Of a source: its `End` was sent before the barrier. */
  readonly ended?: boolean;
}

/** The part of a two-phase commit that a manifest carries. Its sink defines the other fields. */
export interface Committable {
  /** Unique over all attempts of the job. A later version under the same uid replaces the earlier one. */
  readonly uid: string;
  /** Keys (below the job's checkpoint directory) of the data objects it refers to. */
  readonly objects?: readonly string[];
  readonly [field: string]: Json | undefined;
}

/** Event time: no record with an earlier time is expected. Never regresses. */
export interface Watermark {
  readonly [signal]: 'watermark';
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The input is idle: leave it out of minimums. */
  readonly idle: boolean;
}

/**
 * A source's cumulative position in bytes. A terminal operator reports it once it has processed everything before it.
 * Operators that emit many records on their own send credits, too (`Outflow`), in steps.
 */
export interface Credit {
  readonly [signal]: 'credit';
  /** The id of the source or operator. */
  readonly source: string;
  readonly bytes: number;
}

/** The input is over: flush. The final {@link Barrier} follows. */
export interface End {
  readonly [signal]: 'end';
  /**
   * The operators after it had it before the restored checkpoint, and have emitted what they held. Only what joins flows needs
   * it again.
   */
  readonly again: boolean;
}

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };
