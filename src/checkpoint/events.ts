import type { CheckpointReason } from '../flow/index.js';

/** An event of the coordinator. `type` is stable. Times in milliseconds, sizes in bytes. */
export type CheckpointEvent =
  | {
      readonly type: 'claimed';
      readonly jobId: string;
      readonly epoch: number;
      readonly n: number;
      readonly checkpoint: number;
    }
  | { readonly type: 'checkpoint-started'; readonly checkpoint: number; readonly reason: CheckpointReason }
  | {
      readonly type: 'checkpoint-durable';
      readonly checkpoint: number;
      readonly n: number;
      /** From the barrier to the verified manifest. */
      readonly durationMs: number;
      /** Of the manifest. */
      readonly bytes: number;
    }
  | {
      readonly type: 'checkpoint-failed';
      readonly checkpoint: number;
      /** Operators that had not acked. */
      readonly waitingFor: readonly string[];
      /** Since its barrier was sent. */
      readonly durationMs: number;
      /** Bytes of each source before the barrier that a leaf had not processed. */
      readonly buffered: Readonly<Record<string, number>>;
      /** A description for people, with the setting to change. */
      readonly message: string;
    }
  | { readonly type: 'checkpoint-subsumed'; readonly checkpoint: number; readonly by: number }
  | {
      readonly type: 'manifest-in-doubt';
      readonly n: number;
      readonly tries: number;
      readonly error: unknown;
    }
  /** Later manifests do not carry it. */
  | { readonly type: 'confirmed'; readonly sink: string; readonly uid: string }
  | { readonly type: 'garbage-deleted'; readonly keys: readonly string[]; readonly failed: number }
  /** Objects that are no longer needed could not be deleted. Reported once until a deletion succeeds again. */
  | { readonly type: 'deletion-refused'; readonly names: number; readonly error: unknown }
  /** Some leftovers could not be removed. The next start tries again. */
  | { readonly type: 'sweep-skipped'; readonly error: unknown }
  | {
      readonly type: 'savepoint-made';
      /** Of its folder. */
      readonly uri: string;
      readonly checkpoint: number;
      readonly objects: number;
      /** Of its objects. */
      readonly bytes: number;
      /** From its barrier to its root. */
      readonly durationMs: number;
    }
  | { readonly type: 'savepoint-failed'; readonly uri: string; readonly error: unknown }
  | { readonly type: 'settled'; readonly n: number; readonly finished: boolean }
  | { readonly type: 'fenced'; readonly n: number; readonly message: string };
