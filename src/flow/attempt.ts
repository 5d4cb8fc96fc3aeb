import type { Observable } from 'rxjs';
import type { Clock } from './clock.js';
import type { Committable, Credit, Json } from './signalTypes.js';

/**
 * One run of a job from a restored checkpoint to its end, its failure or its stop, as operators see it.
 * It comes with `Open`; operators reach the outside world by nothing else.
 */
export interface Attempt {
  /** The job's name, as given to `createJob`. */
  readonly job: string;
  /** Drawn once, when the job first starts; stays for the life of its log. URL-safe, 12 characters. */
  readonly jobId: string;
  /** Raised by every claim: no two attempts share one. */
  readonly epoch: number;
  readonly clock: Clock;
  /** Uniform in [0, 1), like `Math.random`, but seedable. */
  readonly random: () => number;
  /** A capability that the job provides, such as its stores. */
  use<S>(service: Service<S>): S;
  /** Joins every checkpoint. Throws `DuplicateId` if the id is taken. Call it on `Open`, never later. */
  register(participant: Participant): void;
  /** What the restored checkpoint holds for this id; `undefined` on a first start. */
  restored(id: string): Restored | undefined;
  /**
   * An operator has `Open` and keeps it until it is ready for records. No source starts before every such operator has
   * {@link Attempt.opened passed it on}. `FlowSubscriber` calls both.
   */
  opening(operator: object): void;
  /** The operator has passed `Open` on, or was torn down. */
  opened(operator: object): void;
  /**
   * Announces a terminal operator (its id or itself) of these sources (`Open.sources`): from now on none of them runs
   * further ahead of it than its budget. `Open` may end at a terminal that announces itself.
   */
  terminal(terminal: string | object, sources: readonly string[]): void;
  /** A terminal has dealt with everything before `credit`. */
  release(terminal: string | object, credit: Credit): void;
  /** A sink's committable is published and needs no more carrying. Idempotent. */
  confirm(id: string, uid: string): void;
  /** A sink has moved a pending committable one step on; the next manifest carries the new version. */
  amend(id: string, committable: Committable): void;
  /**
   * An error arose in an operator: its id, or what it is called; and whether the record that it is handling caused it. The
   * first to tell of an error counts. `FlowSubscriber` calls it; an attempt that has nobody to tell leaves it out.
   */
  failing?(error: unknown, operator: string, ofRecord: boolean): void;
  /** Shows something to `job.events$`. */
  report(event: OperatorEvent): void;
}

/** One who takes part in checkpoints: it acks every barrier. */
export interface Participant {
  readonly id: string;
  readonly kind: 'source' | 'operator' | 'sink';
  /**
   * The manifest that carries these committables is durable and verified: publish each, idempotently, and
   * `confirm` it. Those already under way are named again, and one that was amended may come once more as it was before:
   * leave that one alone, what it names may be gone. Sinks only.
   */
  commit?(pending: readonly Committable[]): void;
  /**
   * The checkpoint is durable and verified; or it is the restored one, and this attempt's claim is verified. In order, and
   * before the barrier's outcome. A checkpoint that a newer one has subsumed is left out, and one may come again.
   */
  durable?(checkpoint: number): void;
  /**
   * Removes what it left in the world in attempts that are over, and that no entry of the log will ever name. Completes
   * when that is done; failures are reported, not thrown. Called once the attempt itself runs, when it has settled, and
   * when it is torn down because a later one owns the log.
   */
  sweep?(leftovers: Leftovers): Observable<unknown>;
}

/** What a sweep may remove. */
export interface Leftovers {
  /** Of attempts up to this epoch. Later ones may be alive. */
  readonly epoch: number;
  /** What the newest entry of the log names of this participant's. It stays. */
  readonly named: readonly Committable[];
}

/** What a restored checkpoint holds for one participant. */
export interface Restored {
  readonly snapshot: Json | undefined;
  /** The epoch's own claim has sealed what was open: all of it is here, and `commit` is called with it. */
  readonly pending: readonly Committable[];
}

/** Something an operator tells the world outside the flow. `type` is a stable kebab-case word. */
export interface OperatorEvent {
  readonly type: string;
  readonly operator: string;
  readonly [field: string]: unknown;
}

/** The typed name of a capability. Rooms below `flow` declare their own; the job provides the values, and finds them by name. */
export class Service<S> {
  declare protected readonly provides: S;
  /** @param fallback used when the job provides no value */
  constructor(
    readonly name: string,
    readonly fallback?: () => S,
  ) {}
}
