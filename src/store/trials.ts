/** What a store can do, tried one at a time. What a trial makes starts with `at`, and is left for the caller to remove. */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  forkJoin,
  from,
  ignoreElements,
  map,
  of,
  throwError,
  toArray,
  type Observable,
} from 'rxjs';
import { sharedByCopies } from '../errors.js';
import { hasNoIdentity, isStoreError, StoreError } from './errors.js';
import type { ObjectStore, UploadedPart } from './objectStore.js';

const racers = 16;

/** The names of what the trials here make, behind `at`. */
export const tried: readonly string[] = ['-race', '-parts'];

/** Whether of 16 concurrent create-only puts exactly one wins. */
export function race(store: ObjectStore, at: string): Observable<boolean> {
  return forkJoin(
    Array.from({ length: racers }, (_, i) =>
      needing(
        's3:PutObject',
        store,
        store.put(`${at}-race`, Buffer.from(String(i)), { ifNoneMatch: '*' }),
      ).pipe(
        map(() => true),
        catchError((error: unknown) =>
          isStoreError(error, 'AlreadyExists', 'Conflict', 'NotSupported')
            ? of(false)
            : throwError(() => error),
        ),
      ),
    ),
  ).pipe(map((won) => won.filter(Boolean).length === 1));
}

/** Whether Complete accepts one of two parts. */
export function subset(store: ObjectStore, at: string): Observable<boolean> {
  return upload(store, `${at}-parts`, [1, 1].map(part), (parts) => parts.slice(0, 1)).pipe(
    map(() => true),
    catchError((error: unknown) =>
      isStoreError(error, 'InvalidPart') ? of(false) : throwError(() => error),
    ),
  );
}

/** Bytes of a part. */
export function part(size: number): Uint8Array {
  return Buffer.alloc(size, 'p');
}

/** Completes an upload of these parts, or of some; if that fails, the upload is aborted. Emits once. */
export function upload(
  store: ObjectStore,
  key: string,
  bodies: readonly Uint8Array[],
  named: (parts: readonly UploadedPart[]) => readonly UploadedPart[] = (parts) => parts,
  options: { readonly ifNoneMatch?: '*' } = {},
): Observable<unknown> {
  return needing('s3:PutObject', store, store.createUpload(key)).pipe(
    concatMap(({ uploadId }) =>
      from(bodies).pipe(
        concatMap((body, i) => needing('s3:PutObject', store, store.uploadPart(key, uploadId, i + 1, body))),
        toArray(),
        concatMap((parts) => store.completeUpload(key, uploadId, named(parts), options)),
        catchError((error: unknown) => {
          const abort = needing('s3:AbortMultipartUpload', store, store.abortUpload(key, uploadId));
          return concat(
            abort.pipe(ignoreElements()),
            throwError(() => error),
          );
        }),
      ),
    ),
  );
}

/** What the trials at `at` left is removed, whether `work`, which emits once, succeeds or fails; not if it is
 * unsubscribed from. */
export function cleaned<T>(store: ObjectStore, keys: readonly string[], work: Observable<T>): Observable<T> {
  const remove = defer(() => needing('s3:DeleteObject', store, store.delete(keys))).pipe(
    concatMap(([failure]) => (failure === undefined ? of(undefined) : throwError(() => failure.error))),
    ignoreElements(),
  );
  return work.pipe(
    catchError((error: unknown) =>
      concat(
        remove.pipe(catchError(() => EMPTY)), // what went wrong first is what counts
        throwError(() => error),
      ),
    ),
    // Whoever has the answer may unsubscribe: so it comes last.
    concatMap((answer) => concat(remove, of(answer))),
  );
}

/** A request for which a right may be missing: its error then names the IAM action. */
export function needing<T>(action: string, store: ObjectStore, request: Observable<T>): Observable<T> {
  return request.pipe(
    catchError((cause: unknown) =>
      throwError(() =>
        isStoreError(cause, 'PermissionDenied') && !hasNoIdentity(cause)
          ? new MissingRight(lacking(cause) ?? action, store.uri, cause)
          : cause,
      ),
    ),
  );
}

/** AWS says which action was denied: it may be one on the KMS key. Where STS denies the role, no other matters yet. */
function lacking({ message }: StoreError): string | undefined {
  return /(?:not authorized to perform:|^AssumeRole .*Allow) ([a-z0-9]+:[A-Za-z]+)/.exec(message)?.[1];
}

/** `PermissionDenied`, where one knows what for. */
export class MissingRight extends StoreError {
  static {
    sharedByCopies(this, 'MissingRight');
  }

  constructor(
    readonly action: string,
    uri: string,
    cause: StoreError,
  ) {
    super(
      'PermissionDenied',
      `No right to ${action} at ${uri}: ${cause.message} Grant ${action} to the credentials in use.`,
      {
        cause,
        ...(cause.serverCode === undefined ? {} : { serverCode: cause.serverCode }),
        ...(cause.status === undefined ? {} : { status: cause.status }),
      },
    );
  }
}
