import { NEVER, type Observable } from 'rxjs';
import { MillraceError } from '../errors.js';
import type { Attempt } from './attempt.js';
import {
  signal,
  type Barrier,
  type CheckpointReason,
  type Credit,
  type End,
  type Frozen,
  type Watermark,
} from './signalTypes.js';

export * from './signalTypes.js';

/** The first element of every flow: what an operator needs for one attempt. */
export interface Open {
  readonly [signal]: 'open';
  /**
   * The ids of the sources whose records arrive here, once for each branch that was merged, and of the operators on the way that
   * send credits of their own.
   */
  readonly sources: readonly string[];
  readonly attempt: Attempt;
}

/**
 * An element of a {@link Flow} that is not a record. Plain RxJS operators do not know signals: lift them with
 * `records(…)`.
 */
export type Signal = Open | Barrier | Watermark | Credit | End;

/**
 * The base class of all signals, shared by all copies of millrace in the process. The test for each record is one
 * `instanceof`, whose cost does not depend on the shapes of records.
 *
 * A copy of a signal (`{ ...barrier }`) would be taken for a record, and its checkpoint would never end. So a signal
 * has an enumerable property that throws when read: copying fails immediately.
 */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- it exists for `instanceof`
abstract class Genuine {
  constructor() {
    Object.defineProperty(this, uncopied, { enumerable: true, get: refuseCopy });
  }
}

const uncopied = Symbol('do not copy signals');

function refuseCopy(this: Signal): never {
  throw new MillraceError(
    'CopiedSignal',
    `A plain operator copied the ${this[signal]} signal: lift it with records(…), so that it sees only records.`,
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
  constructor(readonly again: boolean) {
    super();
  }
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

export const end: End = new EndSignal(false);

/** The `End` of a source that had sent it before the restored checkpoint. */
export const endAgain: End = new EndSignal(true);

/**
 * One instance of each short-lived kind. When no object of a shape is left, V8 collects the shape and discards the
 * optimized code of every operator that has seen it.
 *
 * @internal exported so that it stays reachable
 */
export const exemplars: readonly Signal[] = [
  credit('', 0),
  watermark(-Infinity),
  barrier(0, 'periodic', () => undefined, NEVER),
];
