import { catchError, concat, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import type { Clock } from '../../flow/index.js';
import { pause } from '../../flow/pause.js';
import { isInDoubt, isStoreError } from '../../store/errors.js';
import type { ObjectStore, PutResult, UploadOptions } from '../../store/objectStore.js';

const tries = 5;
/** Before it is asked again, at least. Milliseconds. */
const pauseMs = 500;

/** The metadata that proves an object ours. */
export const putIdMetadata = 'millrace-put-id';

/** What an object is described by, with what proves it ours. */
export function marked(described: UploadOptions, putId: string): UploadOptions {
  return { ...described, metadata: { ...described.metadata, [putIdMetadata]: putId } };
}

export interface Publishing {
  readonly store: ObjectStore;
  readonly key: string;
  /** Puts or completes. */
  readonly request: Observable<PutResult>;
  /** In the metadata of what `request` publishes. */
  readonly putId: string;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Makes a request whose outcome depends on what is there, until it is definite: after any error that leaves it in doubt, or
 * that may be the echo of a request that succeeded (the upload is gone, the object is there), the object itself is asked. Only
 * the put-id proves it ours: equal bytes may be another writer's, who then has won.
 */
export function publish(publishing: Publishing, left = tries): Observable<PutResult> {
  const { store, key, request, putId, clock, random } = publishing;
  return request.pipe(
    catchError((error: unknown) => {
      const refused = isStoreError(error, 'NotFound', 'AlreadyExists', 'PreconditionFailed');
      if (!refused && !isInDoubt(error)) return throwError(() => error);
      return store.head(key).pipe(
        map((info) => (info.metadata?.[putIdMetadata] === putId ? { etag: info.etag } : undefined)),
        catchError((failure: unknown) =>
          isStoreError(failure, 'NotFound') ? of(undefined) : throwError(() => error),
        ),
        concatMap((ours) => {
          if (ours !== undefined) return of(ours);
          if (refused || left <= 1) return throwError(() => error);
          return concat(
            pause(clock, pauseMs * (1 + random())),
            defer(() => publish(publishing, left - 1)),
          );
        }),
      );
    }),
  );
}
