import { catchError, concatMap, map, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { StoreLocation } from '../../store/services.js';
import { CheckpointError } from '../errors.js';
import type { Signing } from '../signature.js';
import { largest } from '../signedJson.js';
import { decodeRoot, rootName, type SavepointRoot } from './root.js';

/** The folder of a savepoint. */
export type SavepointPlace = Pick<StoreLocation, 'store' | 'key'>;

/** The keys of a savepoint start with this. */
export function savepointPrefix({ key }: Pick<SavepointPlace, 'key'>): string {
  const folder = key.replace(/\/+$/, '');
  return folder === '' ? '' : `${folder}/`;
}

/** For messages, with a slash at its end. */
export function savepointUri(place: SavepointPlace): string {
  return `${place.store.uri.replace(/\/$/, '')}/${savepointPrefix(place)}`;
}

/**
 * Reads the root of the savepoint in a folder. It is a manifest like the newest one of a job; its data objects are below
 * the folder, without entropy (`dataKey({ prefix }, name)`). Errors:
 * `SavepointNotFound`, `SavepointIncomplete`, `SavepointCorrupt`, `SavepointTooNew`, `ManifestNotTrusted`,
 * `ForeignName`, and those of the store.
 *
 * @param sign rejects a savepoint that is not signed with one of the keys
 */
export function readSavepoint(place: SavepointPlace, sign?: Signing): Observable<SavepointRoot> {
  const { store } = place;
  const prefix = savepointPrefix(place);
  const where = savepointUri(place);
  return store.get(prefix + rootName, { range: { start: 0, end: largest + 1 } }).pipe(
    catchError((error: unknown) => {
      if (!isStoreError(error, 'NotFound')) return throwError(() => error);
      return store
        .list({ prefix, limit: 1 })
        .pipe(
          concatMap(({ objects }) =>
            throwError(() => (objects.length === 0 ? notFound(where, error) : incomplete(where))),
          ),
        );
    }),
    map(({ chunks }) => decodeRoot(Buffer.concat(chunks), where, sign)),
  );
}

function notFound(where: string, cause: unknown): CheckpointError {
  return new CheckpointError(
    'SavepointNotFound',
    `There is no savepoint at ${where}. Check the URI: it is that of the folder, as job.savepoint(…) returned it. `,
    { cause },
  );
}

function incomplete(where: string): CheckpointError {
  return new CheckpointError(
    'SavepointIncomplete',
    `The savepoint at ${where} has no root: it was interrupted, or is still being written. Use another savepoint, and remove this folder if no job is writing it.`,
  );
}
