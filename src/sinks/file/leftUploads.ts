import { catchError, EMPTY, ignoreElements, tap, type Observable } from 'rxjs';
import type { Attempt } from '../../flow/index.js';
import { abortUploads } from '../../store/abortUploads.js';
import type { UploadInfo } from '../../store/objectStore.js';
import type { SinkEvent } from '../events.js';
import type { Place } from '../twoPhase/places.js';
import { parseUid } from '../../path/uids.js';
import type { FileCommittable } from './committable.js';

/**
 * Aborts the uploads that earlier attempts of this sink left behind and that no log entry names: those whose file name
 * contains this job, this sink and an epoch that is over. A file may have several, because a request to create one may
 * be executed twice.
 *
 * The uploads of a file that is named without an upload id are kept: the attempt that now owns the log may have created
 * one and named it in an entry that is not known here. Others of that file are aborted once it is published.
 *
 * Safety never depends on the sweep, so its errors are warnings.
 */
export function abortLeftUploads(
  id: string,
  attempt: Attempt,
  { store, prefix }: Place,
  { epoch, named: files }: { readonly epoch: number; readonly named: readonly FileCommittable[] },
): Observable<never> {
  const report = (event: SinkEvent): void => {
    attempt.report(event);
  };
  const uploads = new Set(files.flatMap(({ uploadId }) => uploadId ?? []));
  const unsealed = new Set(files.flatMap(({ uploadId, key }) => (uploadId === undefined ? key : [])));
  const isLeft = ({ key, uploadId }: UploadInfo): boolean => {
    const uid = parseUid(key);
    if (uid?.jobId !== attempt.jobId || uid.sink !== id || uid.epoch > epoch) return false;
    return !unsealed.has(key) && !uploads.has(uploadId);
  };
  const warn = (error: unknown): void => {
    report({
      type: 'warning',
      operator: id,
      message:
        'Some uploads of earlier attempts were not aborted. Allow s3:ListBucketMultipartUploads and s3:AbortMultipartUpload, or set a lifecycle rule AbortIncompleteMultipartUpload.',
      error,
    });
  };
  return abortUploads(store, prefix, isLeft).pipe(
    tap(({ uploads: aborted, failure }) => {
      if (aborted > 0) report({ type: 'uploads-swept', operator: id, uploads: aborted });
      if (failure !== undefined) warn(failure.error);
    }),
    ignoreElements(),
    catchError((error: unknown) => {
      warn(error);
      return EMPTY;
    }),
  );
}
