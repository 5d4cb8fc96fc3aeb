import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import type { Clock } from '../../flow/index.js';
import { isStoreError } from '../errors.js';
import { md5 } from '../helpers.js';
import type { ObjectStore, PutResult, UploadedPart } from '../objectStore.js';
import { listedParts } from '../pages.js';
import type { Identity } from './proof.js';
import { publish, type Published } from './publish.js';

/**
 * An upload that a checkpoint names: it is completed as parts 1 to k, followed by a tail as part k + 1. What else was
 * uploaded is left out. No other job writes to its key.
 */
export interface SealedUpload {
  readonly store: ObjectStore;
  readonly key: string;
  readonly uploadId: string;
  /** In the metadata of the upload. */
  readonly mark: Identity['mark'];
  /** Bytes, tail included. `undefined` if another process may have made another tail of the same content. */
  readonly size: number | undefined;
  /** Parts 1 to k, without gaps. */
  readonly parts: readonly UploadedPart[];
  readonly tail: Buffer | undefined;
}

/** How often parts are repaired before the error of Complete is final. */
const repairs = 5;

/**
 * Completes the upload, idempotently, whichever process wrote it:
 *
 * 1. The tail is uploaded as part k + 1, then Complete names 1 to k + 1. A late request of the writer that died may
 *    overwrite part k + 1 in between; Complete then refuses (`InvalidPart`), and both are done again.
 * 2. Any doubt about an answer is resolved (`proof.ts`): the object is ours, by its mark or its composite ETag and its
 *    length; foreign; or the upload is lost. If the upload still exists, Complete is sent again.
 */
export function publishSealed(
  sealed: SealedUpload,
  around: { readonly clock: Clock; readonly random: () => number },
): Observable<Published> {
  const { store, key, uploadId, mark, size, parts, tail } = sealed;
  const identity = {
    mark,
    size,
    // Needed only in doubt.
    get parts() {
      return tail === undefined
        ? parts
        : [...parts, { number: parts.length + 1, etag: md5(tail), size: tail.length }];
    },
  };
  const publishing = { store, key, uploadId, identity, exclusive: true, ...around };
  return publish(publishing, complete(publishing, parts, tail, repairs));
}

interface Target {
  readonly store: ObjectStore;
  readonly key: string;
  readonly uploadId: string;
}

/** Completes with these parts, and the tail as the last one. Parts that the server rejects are repaired. */
function complete(
  target: Target,
  parts: readonly UploadedPart[],
  tail: Buffer | undefined,
  left: number,
): Observable<PutResult> {
  const { store, key, uploadId } = target;
  return defer(() => {
    if (tail === undefined) return of(parts);
    const uploaded = store.uploadPart(key, uploadId, parts.length + 1, tail);
    return uploaded.pipe(map((part): readonly UploadedPart[] => [...parts, part]));
  }).pipe(
    concatMap((all) => store.completeUpload(key, uploadId, all)),
    catchError((error: unknown) => {
      if (!isStoreError(error, 'InvalidPart') || left === 0) return throwError(() => error);
      return repair(target, parts, error).pipe(concatMap((now) => complete(target, now, tail, left - 1)));
    }),
  );
}

/**
 * Complete rejected a part. The tail is uploaded again, since a zombie may have overwritten it. The parts before it
 * only ever had one content, so if the server now lists another ETag for one (a repeated request; under KMS ETags are
 * never the same twice) and its size agrees, that ETag is as good.
 */
function repair(
  { store, key, uploadId }: Target,
  parts: readonly UploadedPart[],
  error: Error,
): Observable<readonly UploadedPart[]> {
  return listedParts(store, key, uploadId).pipe(
    map((listed) =>
      parts.map((part) => {
        const there = listed.get(part.number);
        if (there?.size !== part.size) throw error;
        return { ...part, etag: there.etag };
      }),
    ),
    catchError((failure: unknown) =>
      isStoreError(failure, 'PermissionDenied') ? of(parts) : throwError(() => failure),
    ),
  );
}
