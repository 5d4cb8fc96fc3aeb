import type { CheckpointReason } from '../flow/index.js';

/** What the coordinator tells the world; `type` is stable. Times in milliseconds, sizes in bytes. */
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
      /** Bytes of each source before the barrier that a leaf had not dealt with. */
      readonly buffered: Readonly<Record<string, number>>;
      /** All of it in words, and what to set. */
      readonly message: string;
    }
  | { readonly type: 'checkpoint-subsumed'; readonly checkpoint: number; readonly by: number }
  | {
      readonly type: 'manifest-in-doubt';
      readonly n: number;
      readonly tries: number;
      readonly error: unknown;
    }
  /** No manifest carries it any more. */
  | { readonly type: 'confirmed'; readonly sink: string; readonly uid: string }
  | { readonly type: 'garbage-deleted'; readonly keys: readonly string[]; readonly failed: number }
  /** Objects that nothing needs any more could not be deleted. Told once, until a deletion has succeeded again. */
  | { readonly type: 'deletion-refused'; readonly names: number; readonly error: unknown }
  /** Not all that attempts of the job left could be removed. The next start tries again. */
  | { readonly type: 'sweep-skipped'; readonly error: unknown }
  | { readonly type: 'settled'; readonly n: number; readonly finished: boolean }
  | { readonly type: 'fenced'; readonly n: number; readonly message: string };
