import { catchError, concatMap, from, map, mergeMap, of, reduce, type Observable } from 'rxjs';
import type { Attempt, Committable } from '../flow/index.js';
import type { ObjectStore, UploadInfo } from '../store/objectStore.js';
import { uploadPages } from '../store/pages.js';
import { fromCommittable } from './committable.js';
import type { SinkEvent } from './events.js';
import { parseUid } from './uids.js';

/**
 * Aborts the uploads that earlier attempts of this sink left behind and that no checkpoint needs: those whose file
 * name says this job, this sink and an epoch below this one, and that the claim does not have pending.
 *
 * A file that is pending without an upload is an exception: should this attempt be a zombie by now, a later one may have
 * made an upload of that name and committed to it. What is found there is emitted, uploads by key, to be aborted once a
 * durable manifest of this attempt names an upload of its own for the file: no later attempt makes another one then.
 *
 * Only after the claim is verified, and before this attempt makes such an upload itself. Safety never depends on the
 * sweep, so whatever stops it is a warning.
 */
export function sweep(
  id: string,
  attempt: Attempt,
  store: ObjectStore,
  prefix: string,
  pending: readonly Committable[],
): Observable<ReadonlyMap<string, readonly string[]>> {
  const report = (event: SinkEvent): void => {
    attempt.report(event);
  };
  const files = pending.map(fromCommittable);
  const named = new Set(files.flatMap(({ uploadId }) => uploadId ?? []));
  const unsealed = new Set(files.flatMap(({ uploadId, key }) => (uploadId === undefined ? key : [])));
  const left = new Map<string, string[]>();
  const orphan = ({ key, uploadId }: UploadInfo): boolean => {
    const uid = parseUid(key);
    if (uid?.jobId !== attempt.jobId || uid.sink !== id || uid.epoch >= attempt.epoch) return false;
    if (!unsealed.has(key)) return !named.has(uploadId);
    left.set(key, [...(left.get(key) ?? []), uploadId]);
    return false;
  };
  return uploadPages(store, prefix).pipe(
    concatMap((page) => from(page.uploads.filter(orphan))),
    mergeMap(({ key, uploadId }) => store.abortUpload(key, uploadId).pipe(map(() => 1)), 4),
    reduce((sum, one) => sum + one, 0),
    map((uploads) => {
      if (uploads > 0) report({ type: 'uploads-swept', operator: id, uploads });
      return left;
    }),
    catchError((error: unknown) => {
      report({
        type: 'warning',
        operator: id,
        message:
          'Uploads that earlier attempts left behind were not swept. Allow s3:ListBucketMultipartUploads and s3:AbortMultipartUpload, or set a lifecycle rule AbortIncompleteMultipartUpload.',
        error,
      });
      return of(left);
    }),
  );
}
