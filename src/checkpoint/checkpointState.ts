import type { CheckpointReason, Committable, Frozen, Participant } from '../flow/index.js';
import type { CheckpointEvent } from './events.js';
import {
  initialLog,
  type LogEvent,
  type LogRequest,
  type LogRules,
  type LogState,
  type Self,
} from './logState.js';
import type { Manifest, OperatorState } from './manifest.js';

/** The state of one attempt's checkpoints and log. The protocol is in `checkpoints.ts`. */
export interface CheckpointState {
  readonly phase: 'claiming' | 'claimed' | 'running' | 'publishing' | 'sweeping' | 'settled' | 'failed';
  readonly log: LogState;
  readonly settings: CheckpointSettings;
  readonly rules: CheckpointRules;
  /** By id. */
  readonly participants: ReadonlyMap<string, Participant['kind']>;
  /** The id of the newest barrier; initially of the restored checkpoint. */
  readonly newest: number;
  /** The newest checkpoint passed to the log. */
  readonly written: number;
  /** Oldest first. A round that is over is kept while one of its acks is missing. */
  readonly rounds: readonly Round[];
  /** The reason of the last barrier, once it is sent. */
  readonly last: 'stop' | 'final' | undefined;
  /** Failed checkpoints since the last durable one. */
  readonly failures: number;
  /** When the next periodic barrier is due. */
  readonly dueAt: number | undefined;
  /** When a checkpoint last became durable or failed. */
  readonly endedAt: number;
  /** When publishing, copying a savepoint, or sweeping began or last made progress. */
  readonly movedAt: number;
  /** The savepoint in progress. */
  readonly savepoint: SavepointState | undefined;
}

/** A savepoint in progress. The protocol is in `savepoints/making.ts`. */
export interface SavepointState {
  readonly phase: 'waiting' | 'written' | 'publishing' | 'copying';
  /** The URI of its folder. */
  readonly uri: string;
  /** Of its barrier. */
  readonly checkpoint: number;
  /** The durable entry that it is made of. */
  readonly manifest?: Manifest;
}

/** Times in milliseconds. */
export interface CheckpointSettings {
  /** Between periodic barriers. Without it there are none. */
  readonly intervalMs?: number | undefined;
  readonly minPauseMs: number;
  readonly timeoutMs: number;
  readonly tolerableFailures: number;
}

/** One barrier on its way through the job. */
export interface Round {
  readonly checkpoint: number;
  readonly reason: CheckpointReason;
  readonly startedAt: number;
  /** When the last ack arrived. */
  readonly completeAt: number | undefined;
  /** Participants that have not acked it. */
  readonly missing: ReadonlySet<string>;
  readonly operators: Readonly<Record<string, OperatorState>>;
  readonly phase: 'waiting' | 'written' | 'failed' | 'over';
}

/**
 * The rules of `checkpoints.ts`. All are on; the model checker turns off one at a time, to see the protocol break.
 */
export interface CheckpointRules {
  /** Off: barriers are sent while a checkpoint is unfinished. */
  readonly oneUnfinished: boolean;
  /** Off: barriers are sent as soon as they are due. */
  readonly minPause: boolean;
  /** Off: periodic barriers follow the last one. */
  readonly nothingAfterLast: boolean;
  /** Off: the sources' acks are enough. */
  readonly allAcks: boolean;
  /** Off: a checkpoint does not wait for the sinks' acks of earlier barriers. */
  readonly sinksInOrder: boolean;
  /** Off: an older checkpoint is written after a newer one. */
  readonly newerOnly: boolean;
  /** Off: acks of a failed checkpoint are dropped. */
  readonly lateAcks: boolean;
  /** Off: acks of a subsumed checkpoint refer to objects that must exist. */
  readonly overtakenNeedsNothing: boolean;
  /** Off: a failed checkpoint is written when its last ack arrives. */
  readonly failedForGood: boolean;
  /** Off: a checkpoint may time out after its manifest is issued. */
  readonly issuedNeverFails: boolean;
  /** Off: a durable checkpoint does not end earlier ones. */
  readonly subsumes: boolean;
  /** Off: failures are tolerated without limit. */
  readonly tolerance: boolean;
  /** Off: failures count even if a checkpoint was durable between them. */
  readonly inARow: boolean;
  /** Off: the last checkpoint may fail like any other. */
  readonly lastMustSucceed: boolean;
  /** Off: restored committables are not published. */
  readonly publishRestored: boolean;
  /** Off: the newest version of a committable is published, even if no entry holds it. */
  readonly publishDurable: boolean;
  /** Off: the attempt ends as soon as its last checkpoint is durable. */
  readonly settle: boolean;
  /** Off: a savepoint is copied although its checkpoint has open files. */
  readonly savepointClosed: boolean;
  /** Off: a savepoint is copied before its output is published. */
  readonly savepointPublished: boolean;
}

export const checkpointRules: CheckpointRules = {
  oneUnfinished: true,
  minPause: true,
  nothingAfterLast: true,
  allAcks: true,
  sinksInOrder: true,
  newerOnly: true,
  lateAcks: true,
  overtakenNeedsNothing: true,
  failedForGood: true,
  issuedNeverFails: true,
  subsumes: true,
  tolerance: true,
  inARow: true,
  lastMustSucceed: true,
  publishRestored: true,
  publishDurable: true,
  settle: true,
  savepointClosed: true,
  savepointPublished: true,
};

export type CheckpointInput =
  /** Claim the log. */
  | { readonly type: 'claim' }
  /** The store has answered a request. */
  | { readonly type: 'answered'; readonly answer: LogEvent }
  /** All participants are registered and running. */
  | { readonly type: 'start'; readonly participants: ReadonlyMap<string, Participant['kind']> }
  | { readonly type: 'requested'; readonly reason: CheckpointReason }
  /** Make a savepoint in the folder `uri`. */
  | { readonly type: 'savepoint'; readonly uri: string }
  /** An object of the savepoint is copied. */
  | { readonly type: 'copied' }
  /** The copy is complete, or has failed. */
  | { readonly type: 'savepointed' }
  /**
   * Time has passed. The step decides what is due.
   *
   * `buffered`: bytes of each source before the newest barrier that are still in flight.
   */
  | { readonly type: 'tick'; readonly buffered: Readonly<Record<string, number>> }
  | { readonly type: 'ack'; readonly checkpoint: number; readonly id: string; readonly frozen: Frozen }
  | { readonly type: 'confirm'; readonly sink: string; readonly uid: string }
  | {
      readonly type: 'amend';
      readonly sink: string;
      readonly committable: Committable;
      readonly alone?: boolean;
    }
  /** The sweep after the last checkpoint has finished. */
  | { readonly type: 'swept' };

export type CheckpointEffect =
  | LogRequest
  | { readonly type: 'claimed'; readonly manifest: Manifest; readonly parent: Manifest | undefined }
  /** Send a barrier to every source. */
  | { readonly type: 'inject'; readonly checkpoint: number; readonly reason: CheckpointReason }
  /** Notify participants that this checkpoint is durable. */
  | { readonly type: 'durable'; readonly checkpoint: number }
  /** Notify the barrier of its outcome. */
  | { readonly type: 'outcome'; readonly checkpoint: number; readonly outcome: 'durable' | 'subsumed' }
  | { readonly type: 'commit'; readonly sink: string; readonly committables: readonly Committable[] }
  /** Attempts up to `epoch` are over: remove those of their objects that the entry `newest` does not name. */
  | {
      readonly type: 'sweep';
      readonly epoch: number;
      readonly newest: Manifest;
      /** The attempt ends after this sweep. */
      readonly last: boolean;
    }
  | { readonly type: 'settled' }
  /** Copy what this entry refers to, then write the root. */
  | {
      readonly type: 'copy-savepoint';
      readonly uri: string;
      readonly manifest: Manifest;
    }
  | { readonly type: 'savepoint-failed'; readonly uri: string; readonly error: unknown }
  | { readonly type: 'fail'; readonly error: unknown }
  | { readonly type: 'report'; readonly event: CheckpointEvent };

/** Both readings of the clock, in milliseconds. */
export interface Moment {
  /** Since the epoch, for the timestamps of manifests. */
  readonly now: number;
  /** For measuring durations. */
  readonly monotonic: number;
}

export interface CheckpointStep {
  readonly state: CheckpointState;
  readonly effects: readonly CheckpointEffect[];
}

export function initialCheckpoints(
  self: Self,
  settings: CheckpointSettings,
  rules: { readonly log?: Partial<LogRules>; readonly checkpoints?: Partial<CheckpointRules> } = {},
): CheckpointState {
  return {
    phase: 'claiming',
    log: initialLog(self, rules.log),
    settings,
    rules: { ...checkpointRules, ...rules.checkpoints },
    participants: new Map(),
    newest: 0,
    written: 0,
    rounds: [],
    last: undefined,
    failures: 0,
    dueAt: undefined,
    endedAt: -Infinity,
    movedAt: 0,
    savepoint: undefined,
  };
}
