import type { Observable } from 'rxjs';
import type {
  Allow,
  Barrier,
  CheckpointReason,
  Clock,
  Committable,
  Participant,
  Restored,
} from '../flow/index.js';
import type { KeyGroupRange } from '../state/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { Located } from '../store/relation.js';
import type { CheckpointData, StoreLocation } from '../store/services.js';
import type { EntropyMark } from './dataPlace.js';
import type { CheckpointEvent } from './events.js';
import type { Draft } from './inventory.js';
import type { Signing } from './signature.js';

/** Savepoints to start from. */
export interface Adoption {
  /** Of the savepoints' folders, without user info, with a slash at the end of each; sorted. */
  readonly uris: readonly string[];
  /** Copies the savepoints' objects into the job's directory, on subscribe; then emits what the first claim holds. */
  readonly adopted: Observable<Draft>;
}

/** A savepoint to make. */
export interface SavepointTarget {
  /** Of its folder, without user info. */
  readonly uri: string;
  readonly location: StoreLocation;
}

export interface ClaimOptions {
  /** For data objects, listings and deletes. */
  readonly store: ObjectStore;
  /**
   * For manifests: the same place through separate sockets, so that part uploads can't starve a commit. Default `store`.
   */
  readonly logStore?: ObjectStore;
  /** The job's checkpoint directory as a key prefix, with a trailing slash. */
  readonly prefix: string;
  /** Where entropy is inserted into `prefix` in the keys of data objects, and how many characters a new log draws. */
  readonly entropy?: (EntropyMark & { readonly length: number }) | undefined;
  readonly job: string;
  /** Signs manifests, and rejects unsigned ones. */
  readonly sign?: Signing | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  /** Between periodic barriers, milliseconds. Without it there are none. */
  readonly intervalMs?: number | undefined;
  /**
   * Until all acks of a barrier must have arrived, milliseconds. An issued manifest never times out. Default 10 minutes.
   */
  readonly timeoutMs?: number | undefined;
  /** Between the end of one checkpoint and the next periodic barrier, milliseconds. Default 0. */
  readonly minPauseMs?: number | undefined;
  /** Consecutive failed checkpoints to tolerate. The failure of a stop or final one is never tolerated. Default 0. */
  readonly tolerableFailures?: number | undefined;
  /** Checkpoints kept for restoring, 1 or more. Default 1. */
  readonly retained?: number | undefined;
  /**
   * Ids whose state is dropped if no operator registers them. The log holds it until a checkpoint without it is
   * durable: until then, the job can still continue with it.
   */
  readonly allowDropped?: readonly string[] | undefined;
  /** Also drops the state of ids that no operator registers while the log holds only what was in its savepoint. */
  readonly ignoreUnclaimed?: boolean | undefined;
  /** The key groups whose state the log has. A log with others is `KeyGroupsChanged`. Absent: all. */
  readonly keyGroups?: KeyGroupRange | undefined;
  /** The savepoints that an empty log begins with. A log that began otherwise is `AlreadyStarted`. */
  readonly from?: Adoption | undefined;
  /** Where the job's data objects are copied from for savepoints. Default: `store`, copied through memory elsewhere. */
  readonly location?: Located | undefined;
  /** Memory for the copies of savepoints. Default: unlimited. */
  readonly allow?: Allow | undefined;
  readonly on?: ((event: CheckpointEvent) => void) | undefined;
  /** Called with the error when a request of the log is repeated, and with `undefined` once one is answered. */
  readonly repeated?: ((error: unknown) => void) | undefined;
}

/** What checkpoints wait for. `since`: a reading of the monotonic clock. */
export type CheckpointWait =
  | {
      readonly on: 'acks';
      readonly checkpoint: number;
      readonly operators: readonly string[];
      readonly since: number;
    }
  /** The store has not answered whether the manifest is written. */
  | { readonly on: 'manifest'; readonly checkpoint: number; readonly since: number }
  /** The last checkpoint is durable, and these sinks have not published what is pending. */
  | { readonly on: 'publishing'; readonly operators: readonly string[]; readonly since: number }
  /** Everything is published, and the copy of the savepoint `uri` is not complete. */
  | { readonly on: 'savepoint'; readonly uri: string; readonly since: number };

/** One attempt's ownership of its job's log, from the verified claim on. */
export interface Coordinator {
  /** Drawn at the first start, and kept for the life of the log. URL-safe, 12 characters. */
  readonly jobId: string;
  readonly epoch: number;
  /** The restored checkpoint's id; 0 on a first start. */
  readonly restoredCheckpoint: number;
  /** In the restored entry, the input is over, and operators have flushed what they held. */
  readonly finished: boolean;
  /** The service that names data objects of operators. */
  readonly data: CheckpointData;
  /** The key prefixes of the log and of its data objects. */
  readonly prefixes: readonly string[];
  /** Emits at most one error, after which the attempt must be torn down: `Fenced`, store errors, or `CheckpointFailed`, which is retryable. */
  readonly errors$: Observable<unknown>;
  /** The wait of the oldest unfinished checkpoint, or of settling after the last one. */
  readonly waiting: CheckpointWait | undefined;
  /** The ids in the restored checkpoint. */
  ids(): readonly string[];
  restored(id: string): Restored | undefined;
  /** Before `start`. Throws `DuplicateId`. */
  register(participant: Participant): void;
  /**
   * All participants are registered and running: publishes restored committables, removes leftovers of dead attempts, and
   * starts periodic barriers, each passed to `inject`. Throws `VanishedOperator` if an id that has state did not
   * register and may not be dropped, `DroppedOperator` if one in `allowDropped` did register, and `DroppedPending` if
   * a dropped one has unpublished output.
   *
   * @param buffered bytes of each source before the newest barrier that are still in flight; called when a checkpoint
   * has timed out, to report why
   */
  start(inject: (barrier: Barrier) => void, buffered?: () => Readonly<Record<string, number>>): void;
  /** Injects a barrier now. After a `stop` or `final` barrier, returns that one. */
  trigger(reason: CheckpointReason): Barrier;
  /**
   * On subscribe, sends the barrier of a savepoint; completes once the savepoint is complete. One at a time. Errors:
   * `SavepointOpen`, `SavepointFailed`.
   */
  savepoint(target: SavepointTarget): Observable<never>;
  /** A sink has published a committable. Idempotent. */
  confirm(sink: string, uid: string): void;
  /** A sink has advanced a pending committable by one step. `alone`: others of the sink wait for an entry with it. */
  amend(sink: string, committable: Committable, alone?: boolean): void;
  /**
   * Injects the last barrier, waits until it is durable, and settles: writes entries until nothing is pending, and
   * removes objects that no entry names. Then emits and completes. Failed removals are reported and left to the next
   * start. Call it after `start`.
   */
  finish(reason: 'stop' | 'final'): Observable<void>;
  /**
   * Closes after `error`, and emits the actual cause of the failure once. An attempt that owns the log may abort
   * uploads of earlier attempts and continue their files. So if another attempt owns the log, the cause is `Fenced`,
   * whatever the first error was. In that case, first removes the objects that this attempt has created since its
   * successor's sweep.
   */
  leave(error: unknown): Observable<unknown>;
  /**
   * Has the effect of a crash: sends no more requests, ignores answers, and lets a manifest PUT in flight land. Idempotent.
   */
  close(): void;
}
