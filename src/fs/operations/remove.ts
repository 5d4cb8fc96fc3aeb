/**
 * Removes objects. One object takes one request, since stores respond the same if it does not exist. A directory is removed
 * page by page of its listing, at most 1,000 keys per request; failures do not stop it, and are reported at the end in one
 * error.
 */
import { concat, concatMap, defer, EMPTY, of, throwError, type Observable } from 'rxjs';
import type { DeleteFailure, ObjectInfo } from '../../store/objectStore.js';
import type { Progress, RemoveOptions } from '../types.js';
import { OperationError, PartlyFailed, type Failure } from './errors.js';
import { eachListed } from '../../store/pages.js';
import { isDirectory, notFound, type Place } from './place.js';
import { resolve } from './resolve.js';
import { stat } from './stat.js';
import { UnlistedPolicy } from './unlisted.js';

export function remove(place: Place, options: RemoveOptions): Observable<Progress> {
  return defer(() => {
    if (options.recursive === true)
      return resolve(place).pipe(
        concatMap((named) =>
          named.kind === 'object'
            ? removeObject(place, named.info)
            : removeTree(place, named.prefix, options),
        ),
      );
    if (isDirectory(place.key)) return removeEmpty(place, place.key, options);
    if (options.mustExist !== true) return removeObject(place, { key: place.key, size: 0 });
    return stat(place).pipe(
      concatMap(({ kind, size }) =>
        kind === 'object'
          ? removeObject(place, { key: place.key, size })
          : removeEmpty(place, `${place.key}/`, options),
      ),
    );
  });
}

function removeObject(place: Place, { key, size }: Pick<ObjectInfo, 'key' | 'size'>): Observable<Progress> {
  const done = { objects: { done: 1, total: 1 }, bytes: { done: size, total: size }, uri: place.uri(key) };
  return place.store
    .delete([key])
    .pipe(
      concatMap((failures) => (failures.length === 0 ? of(done) : throwError(() => failed(place, failures)))),
    );
}

/** Removes a directory that contains only its marker. Errors: `NotEmpty`. */
function removeEmpty(place: Place, prefix: string, options: RemoveOptions): Observable<Progress> {
  return place.store.list({ prefix, limit: 2, unlisted: 'report' }).pipe(
    concatMap(({ objects, unlisted }) => {
      if (unlisted !== undefined || objects.some(({ key }) => key !== prefix))
        return throwError(() => notEmpty(place));
      const [marker] = objects;
      if (marker !== undefined) return removeObject(place, marker);
      return options.mustExist === true ? throwError(() => notFound(place)) : of(nothing(place));
    }),
  );
}

function removeTree(place: Place, prefix: string, options: RemoveOptions): Observable<Progress> {
  return defer(() => {
    if (prefix === '' && options.wholeBucket !== true) return throwError(() => wholeBucket(place));
    const unlisted = new UnlistedPolicy(options, 'files');
    const failures: Failure[] = [];
    let found = 0;
    let objects = 0;
    let bytes = 0;
    let uri = place.uri(prefix);
    const pages = eachListed(place.store, { prefix, ...unlisted.listing }, (page) => {
      found += page.objects.length + (page.unlisted?.length ?? 0);
      failures.push(...unlisted.failuresOf(place, page));
      if (page.objects.length === 0) return EMPTY;
      return place.store.delete(page.objects.map(({ key }) => key)).pipe(
        concatMap((refused) => {
          failures.push(...told(place, refused));
          const left = new Set(refused.map(({ key }) => key));
          const gone = page.objects.filter(({ key }) => !left.has(key));
          objects += gone.length;
          bytes += gone.reduce((sum, { size }) => sum + size, 0);
          uri = place.uri(gone.at(-1)?.key ?? prefix);
          return page.cursor === undefined
            ? EMPTY
            : of({ objects: { done: objects }, bytes: { done: bytes }, uri });
        }),
      );
    });
    const end = defer(() => {
      if (failures.length > 0) return throwError(() => new PartlyFailed('RemoveFailed', 'removed', failures));
      if (found === 0 && options.mustExist === true) return throwError(() => notFound(place));
      return of({ objects: { done: objects, total: objects }, bytes: { done: bytes, total: bytes }, uri });
    });
    return concat(pages, end);
  });
}

function nothing(place: Place): Progress {
  return { objects: { done: 0, total: 0 }, bytes: { done: 0, total: 0 }, uri: place.uri(place.key) };
}

function told(place: Place, failures: readonly DeleteFailure[]): Failure[] {
  return failures.map(({ key, error }) => ({ uri: place.uri(key), error }));
}

function failed(place: Place, failures: readonly DeleteFailure[]): PartlyFailed {
  return new PartlyFailed('RemoveFailed', 'removed', told(place, failures));
}

function notEmpty(place: Place): OperationError {
  return new OperationError(
    'NotEmpty',
    `${place.uri(place.key)} is a directory with content. Set \`recursive: true\` to remove all of it.`,
  );
}

function wholeBucket(place: Place): OperationError {
  return new OperationError(
    'WholeBucket',
    `${place.uri('')} is a whole bucket. Set \`wholeBucket: true\` to remove everything in it.`,
  );
}
