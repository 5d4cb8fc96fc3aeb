import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { StoreLocation } from '../../store/services.js';
import { CheckpointError } from '../errors.js';
import type { Signing } from '../signature.js';
import { largest } from '../signedJson.js';
import { copiesPrefix, decodeRoot, rootName, type SavepointRoot } from './root.js';

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
  return readRoot(place).pipe(map((bytes) => decodeRoot(bytes, savepointUri(place), sign)));
}

/** The bytes of the root. Errors: `SavepointNotFound`, `SavepointIncomplete`, and those of the store. */
export function readRoot(place: SavepointPlace): Observable<Buffer> {
  const where = savepointUri(place);
  return place.store.get(savepointPrefix(place) + rootName, { range: { start: 0, end: largest + 1 } }).pipe(
    map(({ chunks }) => Buffer.concat(chunks)),
    catchError((error: unknown) => {
      if (!isStoreError(error, 'NotFound')) return throwError(() => error);
      return hasCopies(place).pipe(
        map((yes) => {
          throw yes ? incomplete(where) : notFound(where, error);
        }),
      );
    }),
  );
}

/** Whether it has objects of a savepoint, and is not the directory of a job that has begun with one. */
function hasCopies(place: SavepointPlace): Observable<boolean> {
  const prefix = savepointPrefix(place) + copiesPrefix;
  return place.store
    .list({ prefix, limit: 1 })
    .pipe(
      concatMap(({ objects }) => (objects.length === 0 ? of(false) : hasLog(place).pipe(map((yes) => !yes)))),
    );
}

/** Whether it is the directory of a job. */
export function hasLog(place: SavepointPlace): Observable<boolean> {
  const prefix = `${savepointPrefix(place)}log/`;
  return defer(() => place.store.list({ prefix, limit: 1 })).pipe(map(({ objects }) => objects.length > 0));
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
    `The savepoint at ${where} has no root: it was interrupted, or is still being written. Use another savepoint. If nothing is writing it, remove it with millrace savepoint rm --incomplete.`,
  );
}
