import { catchError, concatMap, EMPTY, map, of, retry, throwError, type Observable } from 'rxjs';
import { isRetryable } from '../errors.js';
import { isStoreError } from '../store/errors.js';
import type { ClaimOptions } from './contract.js';
import { CheckpointError, fenced } from './errors.js';
import { logKey, logNumber, type Manifest } from './manifest.js';
import { largest } from './signedJson.js';
import { readManifest, scopeOf } from './trust.js';

/** Attempts to read the log before an error that ends the job is considered the cause. */
const tries = 5;

/**
 * The cause of the failure of an attempt whose newest entry is `last`: `error`, or `Fenced` if another attempt owns
 * the log. Tries more than once only if `error` ends the job, because a restart would find out anyway. If the
 * store does not answer, the cause is `error`.
 */
export function explain(error: unknown, last: Manifest, options: ClaimOptions): Observable<unknown> {
  if (isFenced(error)) return of(error);
  const { job, on } = options;
  return newestAbove(last, options).pipe(
    map((newest) => {
      // An entry above ours that was deleted already belongs to a later attempt, too.
      if (newest === undefined || (newest.manifest?.epoch ?? Infinity) <= last.epoch) return error;
      const explained = fenced(job, newest.n, error);
      on?.({ type: 'fenced', n: newest.n, message: explained.message });
      return explained;
    }),
    retry({ count: isRetryable(error) ? 0 : tries - 1 }),
    catchError(() => of(error)),
  );
}

export function isFenced(error: unknown): boolean {
  return error instanceof CheckpointError && error.code === 'Fenced';
}

/** The newest entry of the job, if an attempt later than that of `last` wrote it. */
export function successorOf(last: Manifest, options: ClaimOptions): Observable<Manifest> {
  return newestAbove(last, options).pipe(
    concatMap((newest) => {
      if (newest === undefined) return EMPTY;
      const { n, manifest } = newest;
      if (manifest === undefined) return throwError(() => new Error(`Entry ${n} is gone already.`));
      return manifest.jobId === last.jobId && manifest.epoch > last.epoch ? of(manifest) : EMPTY;
    }),
    retry({ count: tries - 1 }),
  );
}

/** The newest entry above `last`, if any; without `manifest` if it is deleted before it can be read. */
function newestAbove(
  last: Manifest,
  options: ClaimOptions,
): Observable<{ readonly n: number; readonly manifest: Manifest | undefined } | undefined> {
  const { prefix, logStore = options.store } = options;
  return logStore.list({ prefix: `${prefix}log/`, startAfter: prefix + logKey(last.n) }).pipe(
    concatMap(({ objects }) => {
      const n = objects.flatMap(({ key }) => logNumber(key.slice(prefix.length)) ?? []).at(-1);
      if (n === undefined) return of(undefined);
      return logStore.get(prefix + logKey(n), { range: { start: 0, end: largest + 1 } }).pipe(
        map(({ chunks }) => ({ n, manifest: readManifest(Buffer.concat(chunks), n, scopeOf(options)) })),
        catchError((error: unknown) =>
          isStoreError(error, 'NotFound') ? of({ n, manifest: undefined }) : throwError(() => error),
        ),
      );
    }),
  );
}
