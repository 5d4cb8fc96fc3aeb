import type { Observable } from 'rxjs';
import type { Committable, Json } from '../../flow/index.js';
import type { Shape } from '../../shape.js';

/**
 * What a two-phase sink publishes, and how: files, batches for a table, messages. A checkpoint carries committables of one
 * kind; `publish` makes each of them visible, exactly once, whichever attempt does it and however often it is asked to.
 */
export interface TwoPhaseKind<C> {
  /** Kept in every committable with its `version`, so that no other kind takes it for its own: `file`. */
  readonly name: string;
  /** Raised when the fields change. Committables of another version are refused. */
  readonly version: number;
  /** What each field has to look like. Checked before `decode`. */
  readonly shapes: Readonly<Record<string, Shape>>;
  /** The fields of a committable, and the data objects that it refers to. */
  encode(committable: C): CommittableFields;
  /** Reads what `encode` made. May throw what `bad` returns, given a reason. */
  decode(stored: Committable, bad: (why: string) => Error): C;
  /**
   * Throws if this sink may not publish it, `ForeignName` say. All that a checkpoint has pending is checked before anything is
   * done for any of it.
   */
  check?(committable: C): void;
  /** Publishes, idempotently. Emits once. An error ends the attempt; the next one starts over. */
  publish(committable: C): Observable<PublishOutcome<C>>;
  /** For events. */
  describe(committable: C): CommittableDescription;
  /** How many are published at once. With 1 they are published in order, each after the one before it is done. */
  readonly concurrency: number;
  /** Memory that publishing takes, in bytes, and how much it may take at once; one is always allowed. Default: not counted. */
  readonly memory?: { readonly budget: number; of(committable: C): number };
  /** Removes what attempts up to `epoch` left and no entry of the log names. Failures are reported, not thrown. */
  sweep?(leftovers: { readonly epoch: number; readonly named: readonly C[] }): Observable<unknown>;
}

/** `uid` is unique over all attempts of the job: it has the job id, the epoch and a counter in it. */
export interface CommittableFields {
  readonly uid: string;
  readonly objects?: readonly string[];
  readonly [field: string]: Json | undefined;
}

export interface CommittableDescription {
  readonly uri: string;
  readonly bytes: number;
  readonly records: number;
}

/** How publishing a committable went. */
export type PublishOutcome<C> =
  /** It is where it belongs, and proven to be this one. It needs no more carrying. */
  | {
      readonly is: 'mine';
      /** As it was published, where more is known of it by now. */
      readonly committable?: C;
    }
  /** A step is done, and nothing is visible. The next step comes when a manifest has this version of it. */
  | { readonly is: 'notYet'; readonly amended: C }
  /** It can no longer be published, and is not there: it was published and taken away, or never was. */
  | { readonly is: 'lost'; readonly error: Error }
  /** Something else stands in its place. */
  | { readonly is: 'foreign'; readonly error: Error };

/** Something frozen at a barrier, whose committable is complete once all that was begun before the barrier is stored. */
export interface Freezable<C> {
  committable(): C;
}

/** What a sink adds to a checkpoint: `open` is published as it stands if the checkpoint is restored, `closed` in any case. */
export interface FrozenWork<C> {
  readonly open: readonly Freezable<C>[];
  readonly closed: readonly Freezable<C>[];
}

/** `FlowSubscriber.request` of a sink, for its parts. */
export type Request = <T>(request: Observable<T>, answered: (answer: T) => void) => void;
