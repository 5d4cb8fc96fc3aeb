import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { Entry } from '../types.js';
import { directoryEntry, directoryOf, type Place } from './place.js';
import { stat } from './stat.js';

/**
 * Creates a marker, which makes an empty directory visible: an empty object whose key ends in a slash. An existing directory
 * is left as it is.
 */
export function makeDirectory(place: Place): Observable<Entry> {
  return defer(() => {
    const key = directoryOf(place.key);
    // Buckets are not created here.
    if (key === '') return stat(place);
    return place.store.put(key, new Uint8Array(0), { ifNoneMatch: '*' }).pipe(
      map(({ etag }): Entry => ({ ...directoryEntry(place, key), etag })),
      catchError((error: unknown) =>
        isStoreError(error, 'AlreadyExists') ? of(undefined) : throwError(() => error),
      ),
      concatMap((made) => (made === undefined ? stat({ ...place, key }) : of(made))),
    );
  });
}
