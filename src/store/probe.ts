/**
 * Finds out what a store can do, by trying it once: 16 puts race for one key, and an upload is completed with one of its
 * two parts. The parts are a few bytes: the minimum size holds for named parts but the last, and only one is named.
 *
 * The finding is kept as `probe.json` under the prefix, so the next start reads one object. What the probe wrote, it
 * removes. A missing right is a `PermissionDenied` that names the IAM action.
 */
import {
  catchError,
  concatMap,
  defer,
  forkJoin,
  ignoreElements,
  concat,
  map,
  of,
  throwError,
  type Observable,
} from 'rxjs';
import { isStoreError, StoreError } from './errors.js';
import { awsMinimumPartSize, join } from './helpers.js';
import type { ObjectStore } from './objectStore.js';
import type { StoreCapabilities } from './services.js';

const racers = 16;
const version = 1;

/**
 * What the store at hand can do; reads, or makes, `<prefix>probe.json`. Errors: `PermissionDenied`, `NotFound` (no such
 * bucket), and whatever is worth a retry. `random` names the objects that are tried, default `Math.random`.
 */
export function probe(
  store: ObjectStore,
  prefix: string,
  random: () => number = Math.random,
): Observable<StoreCapabilities> {
  const at = `${prefix}probe.json`;
  return defer(() =>
    named(store, 's3:GetObject', store.get(at)).pipe(
      map(({ chunks }) => parse(join(chunks))),
      catchError((error: unknown) => {
        // Without the right to list, S3 says 403 for an object that is missing; the listing below says so.
        if (isStoreError(error, 'NotFound', 'PermissionDenied')) return of(undefined);
        return throwError(() => error);
      }),
      concatMap((known) => (known === undefined ? tried(store, prefix, at, random) : of(known))),
    ),
  );
}

function tried(
  store: ObjectStore,
  prefix: string,
  at: string,
  random: () => number,
): Observable<StoreCapabilities> {
  const base = `${prefix}probe-${Math.floor(random() * 2 ** 48).toString(36)}`;
  return named(store, 's3:ListBucket', store.list({ prefix: base, limit: 1 })).pipe(
    concatMap(() => race(store, `${base}-race`)),
    concatMap((conditionalPut) =>
      subset(store, `${base}-parts`).pipe(
        map((completeSubset) => ({ conditionalPut, completeSubset, minimumPartSize: awsMinimumPartSize })),
      ),
    ),
    concatMap((found) =>
      named(store, 's3:DeleteObject', store.delete([`${base}-race`, `${base}-parts`])).pipe(
        concatMap(([failure]) => (failure === undefined ? of(found) : throwError(() => failure.error))),
      ),
    ),
    concatMap((found) =>
      named(store, 's3:PutObject', store.put(at, Buffer.from(JSON.stringify({ version, ...found })))).pipe(
        map(() => found),
      ),
    ),
  );
}

/** Whether exactly one of the racers wins. */
function race(store: ObjectStore, key: string): Observable<boolean> {
  return forkJoin(
    Array.from({ length: racers }, (_, i) =>
      named(store, 's3:PutObject', store.put(key, Buffer.from(String(i)), { ifNoneMatch: '*' })).pipe(
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

/** Whether Complete accepts one of two parts. The upload is gone afterwards, one way or the other. */
function subset(store: ObjectStore, key: string): Observable<boolean> {
  const part = (uploadId: string, number: number) =>
    named(store, 's3:PutObject', store.uploadPart(key, uploadId, number, Buffer.from(`part ${number}`)));
  return named(store, 's3:PutObject', store.createUpload(key)).pipe(
    concatMap(({ uploadId }) =>
      part(uploadId, 1).pipe(
        concatMap((first) => part(uploadId, 2).pipe(map(() => first))),
        concatMap((first) => store.completeUpload(key, uploadId, [first])),
        map(() => true),
        catchError((error: unknown) => {
          const abort = named(store, 's3:AbortMultipartUpload', store.abortUpload(key, uploadId)).pipe(
            ignoreElements(),
          );
          return concat(abort, isStoreError(error, 'InvalidPart') ? of(false) : throwError(() => error));
        }),
      ),
    ),
  );
}

function named<T>(store: ObjectStore, action: string, request: Observable<T>): Observable<T> {
  return request.pipe(
    catchError((cause: unknown) =>
      throwError(() =>
        isStoreError(cause, 'PermissionDenied')
          ? new StoreError(
              'PermissionDenied',
              `No right to ${action} at ${store.uri}: ${cause.message} Grant ${action} to the credentials in use.`,
              {
                cause,
                ...(cause.serverCode === undefined ? {} : { serverCode: cause.serverCode }),
                ...(cause.status === undefined ? {} : { status: cause.status }),
              },
            )
          : cause,
      ),
    ),
  );
}

/** What was found before; `undefined` if another version wrote it, or it is damaged: then it is tried again. */
function parse(body: Uint8Array): StoreCapabilities | undefined {
  let found: Partial<StoreCapabilities> & { readonly version?: number };
  try {
    found = JSON.parse(Buffer.from(body).toString()) as typeof found;
  } catch {
    return undefined;
  }
  const { conditionalPut, completeSubset, minimumPartSize } = found;
  if (found.version !== version || conditionalPut === undefined) return undefined;
  if (completeSubset === undefined || minimumPartSize === undefined) return undefined;
  return { conditionalPut, completeSubset, minimumPartSize };
}
