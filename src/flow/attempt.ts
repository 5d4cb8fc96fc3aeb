import type { Observable } from 'rxjs';
import type { Clock } from './clock.js';
import type { Committable, Credit, Json } from './signalTypes.js';

/**
 * One run of a job from a restored checkpoint to its end, its failure or its stop, as operators see it.
 * It arrives with `Open` and is an operator's only access to the outside world.
 */
export interface Attempt {
  /** The job's name, as given to `createJob`. */
  readonly job: string;
  /** Drawn when the job first starts, and kept for the life of its log. URL-safe, 12 characters. */
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
   * An operator has received `Open` and holds it until it is ready for records. No source starts until every such
   * operator has {@link Attempt.opened passed it on}. `FlowSubscriber` calls both.
   */
  opening(operator: object): void;
  /** The operator has passed `Open` on, or was torn down. */
  opened(operator: object): void;
  /**
   * Calls `work` once records may flow: every operator has passed `Open` on. Immediately if that is so already. For
   * operators that emit records on their own, such as those of a timer.
   */
  running(work: () => void): void;
  /**
   * Announces a terminal operator (its id or itself) of these sources (`Open.sources`). From then on, none of them
   * runs further ahead of it than its budget. A terminal that announces itself need not pass `Open` on.
   */
  terminal(terminal: string | object, sources: readonly string[]): void;
  /** A terminal has processed everything before `credit`. */
  release(terminal: string | object, credit: Credit): void;
  /** A sink's committable is published: later manifests no longer carry it. Idempotent. */
  confirm(id: string, uid: string): void;
  /**
   * A sink has advanced a pending committable by one step; the next manifest carries the new version.
   *
   * @param alone the sink publishes no other until a durable manifest has this version. Default `false`.
   */
  amend(id: string, committable: Committable, alone?: boolean): void;
  /**
   * An error occurred in an operator. `operator` is its id or its name; `ofRecord` is set if the record being handled
   * caused the error. Only the first report of an error counts. `FlowSubscriber` calls it. Optional.
   */
  failing?(error: unknown, operator: string, ofRecord: boolean): void;
  /** Emits an event on `job.events$`. */
  report(event: OperatorEvent): void;
}

/** Takes part in checkpoints: acks every barrier. */
export interface Participant {
  readonly id: string;
  readonly kind: 'source' | 'operator' | 'sink';
  /**
   * The manifest that carries these committables is durable and verified: publish each one idempotently, then
   * `confirm` it. Committables that are already being published are passed again. An amended one may be passed once
   * more in its old version: ignore that version, as the objects it names may be gone. Sinks only.
   */
  commit?(pending: readonly Committable[]): void;
  /**
   * The checkpoint is durable and verified, or it is the restored one and this attempt's claim is verified. Called in
   * order, and before the barrier's outcome. Subsumed checkpoints are skipped; a checkpoint may be passed more than
   * once.
   */
  durable?(checkpoint: number): void;
  /**
   * Removes what it left behind in attempts that are over and that no log entry will ever name. Completes when done;
   * failures are reported, not thrown. Called when the attempt starts, when it has settled, and when it is torn down
   * because a later attempt owns the log.
   */
  sweep?(leftovers: Leftovers): Observable<unknown>;
}

/** What a sweep may remove. */
export interface Leftovers {
  /** Leftovers of attempts up to this epoch. Later attempts may be alive. */
  readonly epoch: number;
  /** This participant's committables in the newest log entry. They stay. */
  readonly named: readonly Committable[];
}

/** What a restored checkpoint holds for one participant. */
export interface Restored {
  readonly snapshot: Json | undefined;
  /** Includes everything that was open: the claim of this epoch has sealed it. `commit` is called with these. */
  readonly pending: readonly Committable[];
  /** Of a source: its `End` was sent before the checkpoint. */
  readonly ended?: boolean;
}

/** An event that an operator reports outside the flow. `type` is a stable kebab-case word. */
export interface OperatorEvent {
  readonly type: string;
  readonly operator: string;
  readonly [field: string]: unknown;
}

/**
 * The typed name of a capability. Other rooms declare their own; the job provides the values and finds them by name.
 */
export class Service<S> {
  declare protected readonly provides: S;
  /** @param fallback used when the job provides no value */
  constructor(
    readonly name: string,
    readonly fallback?: () => S,
  ) {}
}
