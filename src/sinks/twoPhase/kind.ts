import type { Observable } from 'rxjs';
import type { Committable, Json } from '../../flow/index.js';
import type { Shape } from '../../shape.js';
import type { TimeRange } from '../events.js';

/**
 * Defines what a two-phase sink publishes, and how: files, batches for a table, messages. The sink's part of a
 * checkpoint has committables of one kind; `publish` makes each of them visible, exactly once, whichever attempt calls
 * it and however often.
 */
export interface TwoPhaseKind<C> {
  /** Stored in every committable with its `version`, so that other kinds reject it: `file`. */
  readonly name: string;
  /** Raised when the fields change. Committables of another version are refused. */
  readonly version: number;
  /** The shape of each field. Checked before `decode`. */
  readonly shapes: Readonly<Record<string, Shape>>;
  /** The fields of a committable, and the data objects that it refers to. */
  encode(committable: C): CommittableFields;
  /** Decodes a result of `encode`. May throw the result of `bad`, given a reason. */
  decode(stored: Committable, bad: (why: string) => Error): C;
  /**
   * Throws if this sink may not publish it, such as `ForeignName`. All pending committables of a checkpoint are checked
   * before any is published.
   */
  check?(committable: C): void;
  /** Publishes, idempotently. Emits once. An error ends the attempt; the next one starts over. */
  publish(committable: C): Observable<PublishOutcome<C>>;
  /** For events. */
  describe(committable: C): CommittableDescription;
  /** How many are published concurrently. With 1 they are published in order, each after the previous one is done. */
  readonly concurrency: number;
  /**
   * Memory that publishing one takes, in bytes, and the budget for all; one is always allowed. Default: not counted.
   */
  readonly memory?: { readonly budget: number; of(committable: C): number };
  /** Published committables are announced in groups before they are confirmed. Not with a `concurrency` of 1. Default: not. */
  readonly groups?: Grouping<C>;
  /** Removes leftovers of attempts up to `epoch` that no log entry names. Failures are reported, not thrown. */
  sweep?(leftovers: { readonly epoch: number; readonly named: readonly C[] }): Observable<unknown>;
}

/**
 * Committables that are announced together, once all of them are published: those of a checkpoint, in a manifest for readers. They
 * are confirmed after that, all in one turn, so a log entry names all of a group or none, and whichever attempt publishes the
 * last one announces the same group.
 */
export interface Grouping<C> {
  /** Names the group of a committable. All of a group become pending together. Groups are announced in the order of their names. */
  of(committable: C): string;
  /** All of the group are published. Emits once when it is announced. Idempotent. */
  announce(name: string, committables: readonly C[]): Observable<unknown>;
}

/** `uid` is unique over all attempts of the job: it contains the job id, the epoch and a counter. */
export interface CommittableFields {
  readonly uid: string;
  readonly objects?: readonly string[];
  readonly [field: string]: Json | undefined;
}

export interface CommittableDescription {
  readonly uri: string;
  readonly bytes: number;
  readonly records: number;
  /** Their event times, if they are known. */
  readonly times?: TimeRange;
}

/** The outcome of publishing a committable. */
export type PublishOutcome<C> =
  /** It is published, and proven to be this one. Manifests need not carry it any more. */
  | {
      readonly is: 'mine';
      /** The committable as published, if it was completed meanwhile. */
      readonly committable?: C;
    }
  /** One step is done, and nothing is visible. The next step follows when a durable manifest has this version. */
  | { readonly is: 'notYet'; readonly amended: C }
  /** It can no longer be published, and does not exist: it was published and removed, or was never published. */
  | { readonly is: 'lost'; readonly error: Error }
  /** Something else is in its place. */
  | { readonly is: 'foreign'; readonly error: Error };

/** Work frozen at a barrier, whose committable is complete once everything begun before the barrier is stored. */
export interface Freezable<C> {
  committable(): C;
}

/** A sink's part of a checkpoint: `open` is published as it is if the checkpoint is restored, `closed` in any case. */
export interface FrozenWork<C> {
  readonly open: readonly Freezable<C>[];
  readonly closed: readonly Freezable<C>[];
}

/** `FlowSubscriber.request`, as a sink passes it to its parts. */
export type Request = <T>(request: Observable<T>, answered: (answer: T) => void) => void;
