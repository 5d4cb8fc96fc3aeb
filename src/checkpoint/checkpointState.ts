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

/** Where one attempt stands with its checkpoints and its log; `checkpoints.ts` tells the story. */
export interface CheckpointState {
  readonly phase: 'claiming' | 'claimed' | 'running' | 'publishing' | 'sweeping' | 'settled' | 'failed';
  readonly log: LogState;
  readonly settings: CheckpointSettings;
  readonly rules: CheckpointRules;
  /** By id. */
  readonly participants: ReadonlyMap<string, Participant['kind']>;
  /** The id of the barrier sent last; at first, of the restored checkpoint. */
  readonly newest: number;
  /** The newest checkpoint that was handed to the log. */
  readonly written: number;
  /** Oldest first. One that is over stays while an ack of it is missing. */
  readonly rounds: readonly Round[];
  /** The last barrier, once it is sent. */
  readonly last: 'stop' | 'final' | undefined;
  /** Failed checkpoints since one was durable. */
  readonly failures: number;
  /** When the next periodic barrier is due. */
  readonly dueAt: number | undefined;
  /** When a checkpoint last became durable or failed. */
  readonly endedAt: number;
  /** When publishing or sweeping, after the last checkpoint, began or last got on. */
  readonly movedAt: number;
}

/** Milliseconds, but for the count. */
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
  /** Who has not acked it. */
  readonly missing: ReadonlySet<string>;
  readonly operators: Readonly<Record<string, OperatorState>>;
  readonly phase: 'waiting' | 'written' | 'failed' | 'over';
}

/** The rules of `checkpoints.ts`. All hold; the model checker switches one off at a time, to see it break. */
export interface CheckpointRules {
  /** Off: barriers are sent while a checkpoint is unfinished. */
  readonly oneUnfinished: boolean;
  /** Off: barriers are sent as soon as they are due. */
  readonly minPause: boolean;
  /** Off: periodic barriers follow the last one. */
  readonly nothingAfterLast: boolean;
  /** Off: the sources' acks are enough. */
  readonly allAcks: boolean;
  /** Off: acks of earlier barriers are not waited for. */
  readonly sinksInOrder: boolean;
  /** Off: an older checkpoint is written after a newer one. */
  readonly newerOnly: boolean;
  /** Off: what a sink acks after its checkpoint has failed is dropped. */
  readonly lateAcks: boolean;
  /** Off: what is acked for a checkpoint that a newer one has overtaken refers to objects that must exist. */
  readonly overtakenNeedsNothing: boolean;
  /** Off: a checkpoint that has failed is written when its last ack arrives. */
  readonly failedForGood: boolean;
  /** Off: a checkpoint whose manifest is issued times out. */
  readonly issuedNeverFails: boolean;
  /** Off: a durable checkpoint leaves earlier ones as they are. */
  readonly subsumes: boolean;
  /** Off: failures are tolerated without limit. */
  readonly tolerance: boolean;
  /** Off: failures count although a checkpoint was durable between them. */
  readonly inARow: boolean;
  /** Off: the last checkpoint may fail like any other. */
  readonly lastMustSucceed: boolean;
  /** Off: what was restored is not published. */
  readonly publishRestored: boolean;
  /** Off: the newest version of a committable is published, whether an entry holds it or not. */
  readonly publishDurable: boolean;
  /** Off: the attempt ends as soon as its last checkpoint is durable. */
  readonly settle: boolean;
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
};

export type CheckpointInput =
  /** The log is to be claimed. */
  | { readonly type: 'claim' }
  /** The store has answered a request of the log. */
  | { readonly type: 'answered'; readonly answer: LogEvent }
  /** All participants are registered and running. */
  | { readonly type: 'start'; readonly participants: ReadonlyMap<string, Participant['kind']> }
  | { readonly type: 'requested'; readonly reason: CheckpointReason }
  /**
   * Time has passed; whether enough for anything, the step decides.
   *
   * `buffered`: bytes of each source before the newest barrier that are still on their way.
   */
  | { readonly type: 'tick'; readonly buffered: Readonly<Record<string, number>> }
  | { readonly type: 'ack'; readonly checkpoint: number; readonly id: string; readonly frozen: Frozen }
  | { readonly type: 'confirm'; readonly sink: string; readonly uid: string }
  | { readonly type: 'amend'; readonly sink: string; readonly committable: Committable }
  /** The sweep after the last checkpoint is over. */
  | { readonly type: 'swept' };

export type CheckpointEffect =
  | LogRequest
  | { readonly type: 'claimed'; readonly manifest: Manifest; readonly parent: Manifest | undefined }
  /** A barrier goes to every source. */
  | { readonly type: 'inject'; readonly checkpoint: number; readonly reason: CheckpointReason }
  /** Participants hear that this checkpoint is durable. */
  | { readonly type: 'durable'; readonly checkpoint: number }
  /** What became of a barrier. */
  | { readonly type: 'outcome'; readonly checkpoint: number; readonly outcome: 'durable' | 'subsumed' }
  | { readonly type: 'commit'; readonly sink: string; readonly committables: readonly Committable[] }
  /** Attempts up to `epoch` are over: what they left and `standing` does not name is removed. */
  | {
      readonly type: 'sweep';
      readonly epoch: number;
      readonly standing: Manifest;
      /** The attempt waits for it, and is over then. */
      readonly last: boolean;
    }
  | { readonly type: 'settled' }
  | { readonly type: 'fail'; readonly error: unknown }
  | { readonly type: 'tell'; readonly event: CheckpointEvent };

/** Both readings of a clock, in milliseconds. */
export interface Moment {
  /** Since the epoch: what manifests are stamped with. */
  readonly now: number;
  /** What durations are measured by. */
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
  };
}
