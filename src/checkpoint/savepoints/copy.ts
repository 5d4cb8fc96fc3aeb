import { catchError, concatMap, defer, from, map, mergeMap, reduce, throwError, type Observable } from 'rxjs';
import type { Clock } from '../../flow/index.js';
import { copyObject } from '../../store/multipart/index.js';
import { isStoreError } from '../../store/errors.js';
import type { Located } from '../../store/relation.js';
import type { StoreLocation } from '../../store/services.js';
import { dataKey, type DataPlace } from '../dataPlace.js';
import type { Manifest } from '../manifest.js';
import { savepointPrefix } from './read.js';
import { encodeRoot, objectsOf, rootName, rootOf, savepointName } from './root.js';

/** The copy of one entry's objects, and its root. */
export interface SavepointCopy {
  readonly manifest: Manifest;
  /** Where the job's data objects are. */
  readonly location: Located;
  readonly place: DataPlace;
  /** The folder of the savepoint. */
  readonly target: Located & Pick<StoreLocation, 'key'>;
  /** Signs the root. */
  readonly key: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface CopiedSavepoint {
  readonly objects: number;
  /** Of its objects. */
  readonly bytes: number;
}

/** Copies the objects, then writes the root. Emits once. Errors: those of the stores. */
export function copySavepoint(copy: SavepointCopy): Observable<CopiedSavepoint> {
  const { manifest, location, place, target, key, clock, random } = copy;
  const prefix = savepointPrefix(target);
  const objects = objectsOf(manifest).map((name) => ({
    name,
    from: dataKey(place, name),
    to: prefix + savepointName(manifest, name),
  }));
  return copyData(objects, location, target, { clock, random }).pipe(
    concatMap((sizes) => {
      const root = encodeRoot(rootOf(manifest, sizes), key);
      const bytes = [...sizes.values()].reduce((sum, each) => sum + each, 0);
      return target.store.put(prefix + rootName, root).pipe(map(() => ({ objects: sizes.size, bytes })));
    }),
  );
}

export interface DataCopy {
  /** The name of a data object. */
  readonly name: string;
  /** Its keys. */
  readonly from: string;
  readonly to: string;
}

/** Objects copied concurrently. Each takes memory for one part, where the server does not copy. */
const concurrency = 4;

/**
 * Copies data objects. Emits the size of each, by name. Errors: those of the stores, and those of `check`, which
 * is called with the size of each object, and with `undefined` if there is none.
 */
export function copyData(
  objects: readonly DataCopy[],
  source: Located,
  target: Located,
  around: { readonly clock: Clock; readonly random: () => number },
  check: (name: string, bytes: number | undefined) => void = () => undefined,
): Observable<ReadonlyMap<string, number>> {
  return from(objects).pipe(
    mergeMap(
      ({ name, from: key, to }) =>
        defer(() => source.store.head(key)).pipe(
          catchError((error: unknown) => {
            if (isStoreError(error, 'NotFound')) check(name, undefined);
            return throwError(() => error);
          }),
          concatMap((info) => {
            check(name, info.size);
            return copyObject({ source, info, target, key: to, ...around }).pipe(
              map(() => [name, info.size] as const),
            );
          }),
        ),
      concurrency,
    ),
    reduce((sizes, [name, bytes]) => sizes.set(name, bytes), new Map<string, number>()),
  );
}
