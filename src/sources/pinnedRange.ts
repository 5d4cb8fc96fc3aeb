import { catchError, tap, throwError, type Observable } from 'rxjs';
import type { GroupRange } from '../formats/groupReader.js';
import { StoreError } from '../store/errors.js';
import type { ObjectBody, ObjectInfo } from '../store/objectStore.js';
import type { FileObject } from './discovery.js';
import { inputError } from './errors.js';

/** Requests a range of the version that was listed. Errors: `ObjectChanged`, `ObjectVanished`, `Integrity`, and those of the store. */
export function pinnedRange(object: FileObject, { start, end }: GroupRange): Observable<ObjectBody> {
  return object.store.get(object.key, { range: { start, end }, ifMatch: object.etag }).pipe(
    tap(({ info }) => checkVersion(object, info)),
    catchError((error: unknown) => throwError(() => inputError(object.uri, error))),
  );
}

/** Checks that the object is the version that was listed. Errors: `PreconditionFailed`, `Integrity`. */
function checkVersion({ uri, etag, size }: FileObject, info: ObjectInfo): void {
  if (info.etag !== etag)
    throw new StoreError('PreconditionFailed', `${uri} has another ETag than in its listing.`);
  if (info.size === size) return;
  throw new StoreError('Integrity', `${uri} has ${info.size} bytes, but ${size} in its listing. Try again.`);
}
