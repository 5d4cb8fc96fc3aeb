import {
  concat,
  concatMap,
  EMPTY,
  expand,
  from,
  ignoreElements,
  map,
  mergeMap,
  reduce,
  type Observable,
} from 'rxjs';
import type { ListPage, ObjectStore } from '../store/objectStore.js';
import { uploadPages } from '../store/pages.js';
import { rootsOf, type DataPlace } from './dataPlace.js';

/**
 * The names of data objects of attempts before `epoch`. Those attempts are fenced by the verified claim of this
 * epoch: nothing of theirs that the newest entry does not refer to will ever be referred to. Uploads that they began and
 * never completed are no objects yet, so no entry can refer to them: they are aborted on the way.
 */
export function orphans(store: ObjectStore, place: DataPlace, epoch: number): Observable<string[]> {
  const roots = rootsOf(place);
  return concat(
    from(roots).pipe(
      concatMap((root) => objectsBelow(store, root, epoch)),
      reduce((all, keys) => all.concat(keys), [] as string[]),
    ),
    from(roots).pipe(concatMap((root) => abortUploads(store, root, epoch))),
  );
}

function objectsBelow(store: ObjectStore, prefix: string, epoch: number): Observable<string[]> {
  const page = (cursor?: string): Observable<ListPage> =>
    store.list({ prefix: `${prefix}data/`, ...(cursor === undefined ? {} : { cursor }) });
  const dead = (keys: readonly string[]): string[] => keys.filter((key) => epochOf(key) < epoch);
  return page().pipe(
    // Epochs are in order: behind the first that lives there is nothing to find.
    expand(({ cursor, objects }) =>
      cursor === undefined || objects.some(({ key }) => epochOf(key.slice(prefix.length)) >= epoch)
        ? EMPTY
        : page(cursor),
    ),
    map(({ objects }) => dead(objects.map(({ key }) => key.slice(prefix.length)))),
  );
}

function abortUploads(store: ObjectStore, prefix: string, epoch: number): Observable<never> {
  const data = `${prefix}data/`;
  return uploadPages(store, data).pipe(
    concatMap(({ uploads }) => from(uploads.filter(({ key }) => epochOf(key.slice(prefix.length)) < epoch))),
    mergeMap(({ key, uploadId }) => store.abortUpload(key, uploadId), 4),
    ignoreElements(),
  );
}

/** The epoch that a data object's name begins with; infinite for what we did not name. */
function epochOf(key: string): number {
  const match = /^data\/(\d{10})\//.exec(key);
  return match === null ? Infinity : Number(match[1]);
}
