import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { ObjectInfo } from '../../store/objectStore.js';
import type { Stat } from '../types.js';
import { directoryEntry, directoryOf, entryOf, isDirectory, notFound, type Place } from './place.js';

/** The object of the key, by HEAD; else the directory, if it has content. Errors: `NotFound`. */
export function stat(place: Place): Observable<Stat> {
  return defer(() => {
    if (isDirectory(place.key)) return directory(place, place.key);
    return place.store.head(place.key).pipe(
      map((info) => described(place, info)),
      catchError((error: unknown) =>
        isStoreError(error, 'NotFound') ? directory(place, directoryOf(place.key)) : throwError(() => error),
      ),
    );
  });
}

/** Whether `stat` finds something. Errors other than `NotFound`, such as a 403, are passed on. */
export function exists(place: Place): Observable<boolean> {
  return stat(place).pipe(
    map(() => true),
    catchError((error: unknown) => (isStoreError(error, 'NotFound') ? of(false) : throwError(() => error))),
  );
}

/** The marker, if any, is the first key of a directory. */
function directory(place: Place, prefix: string): Observable<Stat> {
  return place.store.list({ prefix, limit: 1, unlisted: 'report' }).pipe(
    concatMap(({ objects: [first], unlisted }): Observable<Stat> => {
      if (first !== undefined && first.key === prefix) return of(entryOf(place, first));
      if (first !== undefined || unlisted !== undefined || prefix === '')
        return of(directoryEntry(place, prefix));
      return throwError(() => notFound(place));
    }),
  );
}

function described(place: Place, info: ObjectInfo): Stat {
  return {
    ...entryOf(place, info),
    ...(info.metadata === undefined ? {} : { metadata: info.metadata }),
    ...(info.content === undefined ? {} : { content: info.content }),
  };
}
