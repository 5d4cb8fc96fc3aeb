import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { ObjectInfo } from '../../store/objectStore.js';
import { directoryOf, isDirectory, type Place } from './place.js';

/** The object of a URI, or else the directory of all keys that start with `prefix`, which may be none. */
export type Named =
  | { readonly kind: 'object'; readonly info: ObjectInfo }
  | { readonly kind: 'directory'; readonly prefix: string };

/**
 * Resolves a URI without wildcards: with a trailing slash it is a directory; otherwise the object with that key if it exists,
 * else the directory. Uses a listing, where the object comes first, so that only the permission to list is needed; a
 * directory needs no request.
 */
export function resolve(place: Place): Observable<Named> {
  return defer(() => {
    if (isDirectory(place.key)) return of<Named>({ kind: 'directory', prefix: place.key });
    return place.store.list({ prefix: place.key, limit: 1, unlisted: 'report' }).pipe(
      concatMap(({ objects: [first], unlisted }): Observable<Named> => {
        const no = unlisted?.[0];
        if (first?.key === place.key) return of({ kind: 'object', info: first });
        if (no === undefined || !place.key.startsWith(no.key))
          return of({ kind: 'directory', prefix: directoryOf(place.key) });
        if (no.key === place.key) return throwError(() => no.error);
        // In an unreadable directory, an object with a known name may be readable.
        return place.store.head(place.key).pipe(
          map((info): Named => ({ kind: 'object', info })),
          catchError((error: unknown) =>
            throwError(() => (isStoreError(error, 'NotFound') ? no.error : error)),
          ),
        );
      }),
    );
  });
}
