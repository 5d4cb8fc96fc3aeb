import { catchError, EMPTY, ignoreElements, tap, type Observable } from 'rxjs';
import type { Attempt } from '../../flow/index.js';
import { abortUploads } from '../../store/abortUploads.js';
import type { UploadInfo } from '../../store/objectStore.js';
import type { FileCommittable } from './committable.js';
import type { SinkEvent } from '../events.js';
import type { Place } from './places.js';
import { parseUid } from './uids.js';

/**
 * Aborts the uploads that attempts of this sink left and that no entry of the log names: those whose file name says this
 * job, this sink and an epoch that is over. There may be several to a file: a request to create one may be executed twice.
 *
 * A file that is named without an upload is left alone: the attempt that owns the log by now may have made one for it, and named that
 * in an entry that is not known here. What else is under its name goes once the file is published.
 *
 * Safety never depends on the sweep, so whatever stops it is a warning.
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
        'Not all uploads that earlier attempts left were aborted. Allow s3:ListBucketMultipartUploads and s3:AbortMultipartUpload, or set a lifecycle rule AbortIncompleteMultipartUpload.',
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
