import { NEVER, type Observable } from 'rxjs';
import { MillraceError } from '../errors.js';
import type { Attempt } from './attempt.js';

/** The brand of every signal. `Symbol.for`, so that two copies of millrace in one process agree. */
export const signal: unique symbol = Symbol.for('millrace.signal') as never;

/** The first element of every flow: what an operator needs to live through one attempt. */
export interface Open {
  readonly [signal]: 'open';
  /** The ids of the sources whose records arrive here, once for each branch that was merged. */
  readonly sources: readonly string[];
  readonly attempt: Attempt;
}

/** Why a checkpoint is taken. A `stop` flushes nothing; `final` comes after {@link End}. */
export type CheckpointReason = 'periodic' | 'savepoint' | 'stop' | 'final';

/** Whether no barrier follows one of this kind in its attempt, nor any record. */
export function isLast(reason: CheckpointReason): reason is 'stop' | 'final' {
  return reason === 'stop' || reason === 'final';
}

/** Separates what is in checkpoint `checkpoint` from what is not: everything before it is in, nothing after. */
export interface Barrier {
  readonly [signal]: 'barrier';
  /** The checkpoint's id: 1, 2, … over the job's whole life; gaps are checkpoints that failed. */
  readonly checkpoint: number;
  readonly reason: CheckpointReason;
  /**
   * Says that what `id` froze at this barrier is stored. Exactly once per registered participant; late is fine,
   * also after a newer checkpoint has subsumed this one.
   */
  ack(id: string, frozen: Frozen): void;
  /** Emits once: the checkpoint became durable, or a newer one did in its place. */
  readonly outcome: Observable<'durable' | 'subsumed'>;
}

/** What a participant contributes to a checkpoint's manifest. All of it is JSON. */
export interface Frozen {
  /** What the operator needs to go on from here; comes back as {@link Restored.snapshot}. */
  readonly snapshot?: Json;
  /** Work in progress. It is committed as it stands if this checkpoint is ever restored from. */
  readonly open?: readonly Committable[];
  /** Finished work, to be committed once durable. Repeated in every manifest until confirmed. */
  readonly closed?: readonly Committable[];
  /** Keys (below the job's checkpoint directory) of the data objects that `snapshot` refers to. */
  readonly objects?: readonly string[];
}

/** The part of a two-phase commit that a manifest carries. The rest of the shape belongs to its sink. */
export interface Committable {
  /** Unique over all attempts of the job. A later version under the same uid replaces the earlier one. */
  readonly uid: string;
  /** Keys (below the job's checkpoint directory) of the data objects that it refers to. */
  readonly objects?: readonly string[];
  readonly [field: string]: Json | undefined;
}

/** Event time: no record with an earlier time is expected. Never regresses. */
export interface Watermark {
  readonly [signal]: 'watermark';
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The input has been silent: leave it out of minimums. */
  readonly idle: boolean;
}

/** A source's cumulative position in bytes. A terminal operator reports it once it has dealt with all before it. */
export interface Credit {
  readonly [signal]: 'credit';
  readonly source: string;
  readonly bytes: number;
}

/** The input is over: flush. The final {@link Barrier} follows. */
export interface End {
  readonly [signal]: 'end';
}

/** What travels among the records of a {@link Flow}. Plain RxJS operators do not know it: lift them with `records(…)`. */
export type Signal = Open | Barrier | Watermark | Credit | End;

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * What every signal is an instance of, in every copy of millrace in the process: the test for each record is one
 * `instanceof`, which does not depend on how many shapes records have.
 *
 * A copy of a signal (`{ ...barrier }`) would pass for a record, and its checkpoint would never end. So a signal has an
 * enumerable property that refuses to be read: whoever copies it finds out at once.
 */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- it exists for `instanceof`
abstract class Genuine {
  constructor() {
    Object.defineProperty(this, uncopied, { enumerable: true, get: refuseCopy });
  }
}

const uncopied = Symbol('signals are not to be copied');

function refuseCopy(this: Signal): never {
  throw new MillraceError(
    'CopiedSignal',
    `A plain operator copied a ${this[signal]} signal: lift it with records(…), so that it sees only records.`,
  );
}

const everywhere = globalThis as Record<symbol, typeof Genuine | undefined>;
const SignalBase = (everywhere[signal] ??= Genuine);

/** Tells a signal from a record. */
export function isSignal(value: unknown): value is Signal {
  return value instanceof SignalBase;
}

class OpenSignal extends SignalBase implements Open {
  readonly [signal] = 'open' as const;
  constructor(
    readonly sources: readonly string[],
    readonly attempt: Attempt,
  ) {
    super();
  }
}

class BarrierSignal extends SignalBase implements Barrier {
  readonly [signal] = 'barrier' as const;
  constructor(
    readonly checkpoint: number,
    readonly reason: CheckpointReason,
    readonly ack: (id: string, frozen: Frozen) => void,
    readonly outcome: Observable<'durable' | 'subsumed'>,
  ) {
    super();
  }
}

class WatermarkSignal extends SignalBase implements Watermark {
  readonly [signal] = 'watermark' as const;
  constructor(
    readonly time: number,
    readonly idle: boolean,
  ) {
    super();
  }
}

class CreditSignal extends SignalBase implements Credit {
  readonly [signal] = 'credit' as const;
  constructor(
    readonly source: string,
    readonly bytes: number,
  ) {
    super();
  }
}

class EndSignal extends SignalBase implements End {
  readonly [signal] = 'end' as const;
}

export function open(sources: readonly string[], attempt: Attempt): Open {
  return new OpenSignal(sources, attempt);
}

export function barrier(
  checkpoint: number,
  reason: CheckpointReason,
  ack: (id: string, frozen: Frozen) => void,
  outcome: Observable<'durable' | 'subsumed'>,
): Barrier {
  return new BarrierSignal(checkpoint, reason, ack, outcome);
}

export function watermark(time: number, idle = false): Watermark {
  return new WatermarkSignal(time, idle);
}

export function credit(source: string, bytes: number): Credit {
  return new CreditSignal(source, bytes);
}

/** There is but one way for an input to be over. */
export const end: End = new EndSignal();

/**
 * One of each kind that comes and goes. V8 forgets a shape that no object has when it collects, and with it the optimized
 * code of every operator that has seen one.
 *
 * @internal exported so that it is kept
 */
export const exemplars: readonly Signal[] = [
  credit('', 0),
  watermark(-Infinity),
  barrier(0, 'periodic', () => undefined, NEVER),
];
