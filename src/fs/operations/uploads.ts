import { catchError, concat, defer, EMPTY, from, ignoreElements, mergeMap, of, throwError } from 'rxjs';
import type { Observable } from 'rxjs';
import { parseDuration } from '../../config/units.js';
import type { Clock } from '../../flow/index.js';
import type { UploadInfo } from '../../store/objectStore.js';
import type { AbortOptions, UploadEntry } from '../types.js';
import { asError, PartlyFailed, type Failure } from './errors.js';
import { eachUploads } from '../../store/pages.js';
import type { Place } from './place.js';
import { eraseResumeFile } from './transfer/resumeFile.js';

/** Concurrent abort requests. */
const concurrency = 16;

/** The unfinished uploads of keys that start with the URI's. */
export function uploads(place: Place): Observable<UploadEntry> {
  return eachUploads(place.store, place.key, ({ uploads: page }) =>
    page.map((upload) => entryOf(place, upload)),
  );
}

/** Aborts old uploads, and emits each aborted one. Failures are reported at the end. */
export function abortUploads(
  place: Place,
  options: AbortOptions,
  clock: Pick<Clock, 'now'>,
): Observable<UploadEntry> {
  return defer(() => {
    const before = clock.now() - parseDuration('olderThan', options.olderThan);
    const failures: Failure[] = [];
    const abort = (upload: UploadInfo): Observable<UploadEntry> => {
      const entry = entryOf(place, upload);
      const requests = concat(
        place.store.abortUpload(upload.key, upload.uploadId),
        // Without its upload, the resume file of a bulk copy is harmless, so failures are ignored.
        eraseResumeFile(place.store, upload.key, upload.uploadId).pipe(catchError(() => EMPTY)),
      );
      return concat(requests.pipe(ignoreElements()), of(entry)).pipe(
        catchError((error: unknown) => {
          failures.push({ uri: entry.uri, error: asError(error) });
          return EMPTY;
        }),
      );
    };
    const end = defer(() =>
      failures.length === 0 ? EMPTY : throwError(() => new PartlyFailed('AbortFailed', 'aborted', failures)),
    );
    return concat(
      eachUploads(place.store, place.key, ({ uploads: page }) =>
        from(page.filter(({ initiated }) => initiated <= before)).pipe(mergeMap(abort, concurrency)),
      ),
      end,
    );
  });
}

function entryOf(place: Place, { key, uploadId, initiated }: UploadInfo): UploadEntry {
  return { uri: place.uri(key), uploadId, initiated };
}
