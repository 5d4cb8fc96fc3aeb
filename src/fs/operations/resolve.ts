import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { ObjectInfo } from '../../store/objectStore.js';
import { directoryOf, isDirectory, type Place } from './place.js';

/** What a URI names: an object, or else the directory of all keys that start with `prefix`, whether there are any or not. */
export type Named =
  | { readonly kind: 'object'; readonly info: ObjectInfo }
  | { readonly kind: 'directory'; readonly prefix: string };

/**
 * How a URI without wildcards names something, in one rule: with a slash at its end it is a directory; without, it is
 * the object of that key if there is one, else the directory. Asks the listing, where the object, if it exists, comes
 * first: that takes the right to list and no other, and nothing at all for a directory.
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
        // In a directory that may not be read, what one knows the name of may be.
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
