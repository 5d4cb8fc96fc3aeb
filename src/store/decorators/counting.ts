import { Observable, tap } from 'rxjs';
import { decorate, type StoreMethod } from './decorate.js';
import type { ObjectBody, ObjectStore } from '../objectStore.js';

/** Exact counts of a store's requests and bytes. */
export interface StoreCounts {
  /** Requests by method; absent means none. */
  readonly requests: Partial<Record<StoreMethod, number>>;
  /** All requests. */
  readonly total: number;
  /** Requests that ended in an error. */
  readonly failed: number;
  /** Bytes of the bodies of `put` and `uploadPart`. */
  readonly bytesUp: number;
  /** Bytes returned by `get`. */
  readonly bytesDown: number;
}

export interface CountingStore {
  readonly store: ObjectStore;
  /** The counts so far. */
  counts(): StoreCounts;
  reset(): void;
}

/** Counts the requests of a store and their bytes. */
export function counting(inner: ObjectStore): CountingStore {
  let requests: Partial<Record<StoreMethod, number>> = {};
  let failed = 0;
  let bytesUp = 0;
  let bytesDown = 0;
  const store = decorate(
    inner,
    (call, run) =>
      new Observable((out) => {
        requests[call.method] = (requests[call.method] ?? 0) + 1;
        bytesUp += call.body?.length ?? 0;
        return run
          .pipe(
            tap({
              next: (answer) => {
                if (isBody(answer)) bytesDown += bytesOf(answer);
              },
              error: () => {
                failed += 1;
              },
            }),
          )
          .subscribe(out);
      }),
  );
  return {
    store,
    counts: () => ({
      requests: { ...requests },
      total: Object.values(requests).reduce((sum, n) => sum + n, 0),
      failed,
      bytesUp,
      bytesDown,
    }),
    reset: () => {
      requests = {};
      failed = bytesUp = bytesDown = 0;
    },
  };
}

/** The bytes of an answer, wherever they are. */
export function bytesOf({ chunks, taken = 0 }: ObjectBody): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, taken);
}

function isBody(answer: unknown): answer is ObjectBody {
  return typeof answer === 'object' && answer !== null && 'chunks' in answer;
}
