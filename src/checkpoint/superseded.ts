import { catchError, concatMap, map, of, retry, type Observable } from 'rxjs';
import { isRetryable } from '../errors.js';
import { isStoreError } from '../store/errors.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { ClaimOptions } from './contract.js';
import { CheckpointError, fenced } from './errors.js';
import { logKey, logNumber, type Manifest } from './manifest.js';
import { decodeManifest } from './manifestCodec.js';

/**
 * Why an attempt whose newest entry is `last` really failed: `error`, or `Fenced` if another attempt owns the log. A
 * restart would look again, so only what ends the job is worth asking more than once.
 */
export function explain(
  error: unknown,
  last: Manifest,
  { store, logStore = store, prefix, job, on }: ClaimOptions,
): Observable<unknown> {
  if (error instanceof CheckpointError && error.code === 'Fenced') return of(error);
  return supersededBy(logStore, prefix, last, isRetryable(error) ? 0 : 4).pipe(
    map((n) => {
      if (n === undefined) return error;
      const explained = fenced(job, n, error);
      on?.({ type: 'fenced', n, message: explained.message });
      return explained;
    }),
  );
}

/**
 * The number of an entry by which a later attempt owns the log, if there is one. `last` is the newest entry that the asking
 * attempt knows to be its own. To tell why an attempt failed: a store that does not answer, tried `again` so often, says
 * nothing.
 */
function supersededBy(
  store: ObjectStore,
  prefix: string,
  last: Manifest,
  again: number,
): Observable<number | undefined> {
  return store.list({ prefix: `${prefix}log/`, startAfter: prefix + logKey(last.n) }).pipe(
    concatMap(({ objects }) => {
      const n = objects.flatMap(({ key }) => logNumber(key.slice(prefix.length)) ?? []).at(-1);
      if (n === undefined) return of(undefined);
      const key = prefix + logKey(n);
      return store.get(key).pipe(
        map(({ chunks }) => decodeManifest(Buffer.concat(chunks), `${store.uri}/${key}`)),
        map(({ epoch }) => (epoch > last.epoch ? n : undefined)),
        // Only a later attempt deletes what is above our newest.
        catchError((error: unknown) => of(isStoreError(error, 'NotFound') ? n : undefined)),
      );
    }),
    retry({ count: again }),
    catchError(() => of(undefined)),
  );
}
