import { catchError, concatMap, from, map, mergeMap, of, reduce, type Observable } from 'rxjs';
import type { ObjectStore, UploadInfo } from './objectStore.js';
import { uploadPages } from './pages.js';

export interface Aborted {
  readonly uploads: number;
  /** The first failure; the other uploads were aborted nevertheless. */
  readonly failure?: { readonly error: unknown };
}

/** Aborts the uploads below a prefix that are `unwanted`. Emits once. Errors: those of the listing. */
export function abortUploads(
  store: ObjectStore,
  prefix: string,
  unwanted: (upload: UploadInfo) => boolean,
): Observable<Aborted> {
  return uploadPages(store, prefix).pipe(
    concatMap((page) => from(page.uploads.filter(unwanted))),
    mergeMap(
      ({ key, uploadId }) =>
        store.abortUpload(key, uploadId).pipe(
          map((): Aborted => ({ uploads: 1 })),
          catchError((error: unknown) => of<Aborted>({ uploads: 0, failure: { error } })),
        ),
      4,
    ),
    reduce((sum, one): Aborted => ({ ...one, ...sum, uploads: sum.uploads + one.uploads }), <Aborted>{
      uploads: 0,
    }),
  );
}
