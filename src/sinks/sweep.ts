import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  expand,
  from,
  map,
  mergeMap,
  of,
  reduce,
  type Observable,
} from 'rxjs';
import type { Attempt } from '../flow/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import { parseUid } from './uids.js';

/**
 * Aborts the uploads that earlier attempts of this sink left behind and that no checkpoint names: those whose file
 * name says this job, this sink and an epoch below this one, and that `named` does not hold. Only after the claim is
 * verified, and before this attempt creates an upload for a file of an earlier one; safety never depends on it, so whatever stops it is a warning.
 */
export function sweep(
  id: string,
  attempt: Attempt,
  store: ObjectStore,
  prefix: string,
  named: ReadonlySet<string>,
): Observable<void> {
  const orphan = (key: string): boolean => {
    const uid = parseUid(key);
    return uid?.jobId === attempt.jobId && uid.sink === id && uid.epoch < attempt.epoch;
  };
  return defer(() => store.listUploads({ prefix })).pipe(
    expand((page) => (page.next === undefined ? EMPTY : store.listUploads({ prefix, after: page.next }))),
    concatMap((page) => from(page.uploads)),
    mergeMap(
      ({ key, uploadId }) =>
        orphan(key) && !named.has(uploadId) ? store.abortUpload(key, uploadId).pipe(map(() => 1)) : EMPTY,
      4,
    ),
    reduce((sum, one) => sum + one, 0),
    map((uploads) => {
      if (uploads > 0) attempt.report({ type: 'uploads-swept', operator: id, uploads });
    }),
    catchError((error: unknown) => {
      attempt.report({
        type: 'warning',
        operator: id,
        message:
          'Uploads that earlier attempts left behind were not swept. Allow s3:ListBucketMultipartUploads and s3:AbortMultipartUpload, or set a lifecycle rule AbortIncompleteMultipartUpload.',
        error,
      });
      return of(undefined);
    }),
  );
}
