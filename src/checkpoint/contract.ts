import type { Observable } from 'rxjs';
import type { Barrier, CheckpointReason, Clock, Committable, Participant, Restored } from '../flow/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { CheckpointData } from '../store/services.js';
import type { EntropyMark } from './dataPlace.js';
import type { CheckpointEvent } from './events.js';
import type { Signing } from './signature.js';

export interface ClaimOptions {
  /** For data objects, listings and deletes. */
  readonly store: ObjectStore;
  /** For manifests: the same place through sockets of its own, so that part uploads can't starve a commit. Default `store`. */
  readonly logStore?: ObjectStore;
  /** The job's checkpoint directory as a key prefix, with a trailing slash. */
  readonly prefix: string;
  /** Where entropy goes into `prefix` in the keys of data objects, and how much of it a new log draws. */
  readonly entropy?: (EntropyMark & { readonly length: number }) | undefined;
  readonly job: string;
  /** Signs manifests, and reads none that are not signed. */
  readonly sign?: Signing | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  /** Between periodic barriers, milliseconds. Without it there are none. */
  readonly intervalMs?: number | undefined;
  /** For all acks of one barrier to come, milliseconds. An issued manifest is never timed out. Default 10 minutes. */
  readonly timeoutMs?: number | undefined;
  /** Between the end of one checkpoint and the next periodic barrier, milliseconds. Default 0. */
  readonly minPauseMs?: number | undefined;
  /** So many failed checkpoints in a row are tolerated; that of a stop or final one never is. Default 0. */
  readonly tolerableFailures?: number | undefined;
  /** Checkpoints kept to be restored from, 1 or more. Default 1. */
  readonly retained?: number | undefined;
  /**
   * Ids whose state is dropped if no operator registers them. The log holds it until a checkpoint without it is durable:
   * until then, the job can still go on with it.
   */
  readonly allowDropped?: readonly string[] | undefined;
  readonly on?: ((event: CheckpointEvent) => void) | undefined;
  /** Hears why a request of the log is repeated, and `undefined` once one is answered. */
  readonly repeated?: ((error: unknown) => void) | undefined;
}

/** What checkpoints wait for, and since when by the monotonic clock. */
export type CheckpointWait =
  | {
      readonly on: 'acks';
      readonly checkpoint: number;
      readonly operators: readonly string[];
      readonly since: number;
    }
  /** The store has not answered whether the manifest is written. */
  | { readonly on: 'manifest'; readonly checkpoint: number; readonly since: number }
  /** The last checkpoint is durable, and what it has pending is not published: by these sinks. */
  | { readonly on: 'publishing'; readonly operators: readonly string[]; readonly since: number };

/** One attempt's hold on its job's log, from the verified claim on. */
export interface Coordinator {
  /** Drawn at the first start; stays for the life of the log. URL-safe, 12 characters. */
  readonly jobId: string;
  readonly epoch: number;
  /** The restored checkpoint's id; 0 on a first start. */
  readonly restoredCheckpoint: number;
  /** The restored log says that the input was over and everything committed. */
  readonly finished: boolean;
  /** The service that operators name their data objects by. */
  readonly data: CheckpointData;
  /** The key prefixes of the log and of its data objects. */
  readonly prefixes: readonly string[];
  /** What went wrong for good, once: the attempt must be torn down. `Fenced` and store errors; `CheckpointFailed` is retryable. */
  readonly errors$: Observable<unknown>;
  /** What the oldest unfinished checkpoint waits for, or the settling after the last one. */
  readonly waiting: CheckpointWait | undefined;
  /** The ids that the restored checkpoint holds something for. */
  ids(): readonly string[];
  restored(id: string): Restored | undefined;
  /** Before `start`. Throws `DuplicateId`. */
  register(participant: Participant): void;
  /**
   * All participants are registered and running: commits what was restored, removes what dead attempts left, and starts
   * periodic barriers, each handed to `inject`. Throws `VanishedOperator` if an id that has state
   * did not register and may not be dropped, `DroppedOperator` if one that may be dropped did, and `DroppedPending` if one has something to publish.
   *
   * @param buffered bytes of each source before the newest barrier that are still on their way: asked for when a
   * checkpoint has timed out, to tell why
   */
  start(inject: (barrier: Barrier) => void, buffered?: () => Readonly<Record<string, number>>): void;
  /** Injects a barrier now. None follows a `stop` or `final` one: that one is returned then. */
  trigger(reason: CheckpointReason): Barrier;
  /** A sink has published a committable. Idempotent. */
  confirm(sink: string, uid: string): void;
  /** A sink has moved a pending committable one step on. */
  amend(sink: string, committable: Committable): void;
  /**
   * Injects the last barrier, waits until it is durable, and settles: writes entries until nothing is pending, and removes
   * what no entry names. Then it emits and completes. What cannot be removed is told, and left to the next start.
   * Call it after `start`.
   */
  finish(reason: 'stop' | 'final'): Observable<void>;
  /**
   * Closes after `error`, and emits once: why the attempt really failed. Once another owns the log, that one may abort its
   * uploads and take its files further, so whatever a zombie stumbles over first, it is `Fenced`. Then it removes what it
   * has made since, for its heir may have looked before.
   */
  leave(error: unknown): Observable<unknown>;
  /** Ends as a crash would: nothing more is asked, no answer heard, and a manifest under way is left to land. Idempotent. */
  close(): void;
}
