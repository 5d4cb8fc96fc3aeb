import {
  catchError,
  concat,
  concatMap,
  defer,
  endWith,
  from,
  ignoreElements,
  map,
  mergeMap,
  Observable,
  tap,
  throwError,
  toArray,
} from 'rxjs';
import { unlimited, type Allow, type Clock } from '../../flow/index.js';
import { copyLimits, copyObject } from '../../store/multipart/index.js';
import { isStoreError } from '../../store/errors.js';
import type { ObjectInfo } from '../../store/objectStore.js';
import { isSameServer, type Located } from '../../store/relation.js';
import type { StoreLocation } from '../../store/services.js';
import { dataKey, type DataPlace } from '../dataPlace.js';
import type { Manifest } from '../manifest.js';
import { CopyMemory } from './copyMemory.js';
import { savepointPrefix } from './read.js';
import { encodeRoot, objectsOf, rootName, rootOf, savepointName } from './root.js';

/** What a copy needs of its surroundings. */
export interface CopyAround {
  readonly clock: Clock;
  readonly random: () => number;
  /** Memory for what the server does not copy. Default: unlimited. */
  readonly allow?: Allow | undefined;
  /** Called before the first object, and after each. */
  readonly moved?: ((progress: CopyProgress) => void) | undefined;
}

/** The progress of a copy of data objects. */
export interface CopyProgress {
  readonly objects: { readonly done: number; readonly total: number };
  readonly bytes: { readonly done: number; readonly total: number };
  /** The key of the object that was copied last; at first empty. */
  readonly key: string;
}

/** The copy of one entry's objects, and its root. */
export interface SavepointCopy extends CopyAround {
  readonly manifest: Manifest;
  /** Where the job's data objects are. */
  readonly location: Located;
  readonly place: DataPlace;
  /** The folder of the savepoint. */
  readonly target: Located & Pick<StoreLocation, 'key'>;
  /** Signs the root. */
  readonly key: string | undefined;
}

export interface CopiedSavepoint {
  readonly objects: number;
  /** Of its objects. */
  readonly bytes: number;
}

/**
 * Looks the objects up, copies them, then writes the root. Emits once. Errors: `ManifestTooLarge`, before anything is
 * copied; those of the stores.
 */
export function copySavepoint(copy: SavepointCopy): Observable<CopiedSavepoint> {
  const { manifest, location, place, target, key } = copy;
  const prefix = savepointPrefix(target);
  const objects = objectsOf(manifest).map((name) => ({
    name,
    from: dataKey(place, name),
    to: prefix + savepointName(manifest, name),
  }));
  return lookUp(objects, location).pipe(
    concatMap((found) => {
      const sizes = new Map(found.map(({ name, info }) => [name, info.size]));
      const root = encodeRoot(rootOf(manifest, sizes), key);
      const bytes = found.reduce((sum, { info }) => sum + info.size, 0);
      return concat(
        copyData(found, location, target, copy),
        defer(() => target.store.put(prefix + rootName, root)).pipe(ignoreElements()),
      ).pipe(endWith({ objects: found.length, bytes }));
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

export interface FoundData extends DataCopy {
  readonly info: Pick<ObjectInfo, 'key' | 'size' | 'etag'>;
}

/** Requests in parallel. */
const looks = 16;
/** Objects copied concurrently, if there is memory for a part of each that the server does not copy. */
const concurrency = 4;

/**
 * Looks data objects up, before any is copied. Emits once. Errors: those of the store, and those of `check`, which is
 * called with the size of each object, and with `undefined` if there is none.
 */
export function lookUp(
  objects: readonly DataCopy[],
  { store }: Pick<Located, 'store'>,
  check: (name: string, bytes: number | undefined) => void = () => undefined,
): Observable<readonly FoundData[]> {
  return from(objects).pipe(
    mergeMap(
      (object) =>
        defer(() => store.head(object.from)).pipe(
          catchError((error: unknown) => {
            if (isStoreError(error, 'NotFound')) check(object.name, undefined);
            return throwError(() => error);
          }),
          map(({ key, size, etag }): FoundData => {
            check(object.name, size);
            return { ...object, info: { key, size, etag } };
          }),
        ),
      looks,
    ),
    toArray(),
  );
}

/** Copies data objects. Errors: those of the stores. */
export function copyData(
  objects: readonly FoundData[],
  source: Located,
  target: Located,
  { clock, random, allow = unlimited, moved }: CopyAround,
): Observable<never> {
  const throughMemory = !isSameServer(source, target);
  const held = ({ info }: FoundData): number => (throughMemory ? Math.min(info.size, copyLimits.part) : 0);
  return new Observable((out) => {
    const part = Math.max(0, ...objects.map(held));
    const total = objects.reduce((sum, { info }) => sum + info.size, 0);
    const done = { objects: 0, bytes: 0 };
    const report = (key: string): void => {
      moved?.({
        objects: { done: done.objects, total: objects.length },
        bytes: { done: done.bytes, total },
        key,
      });
    };
    const copied = (key: string, size: number): void => {
      done.objects++;
      done.bytes += size;
      report(key);
    };
    report('');
    const memory = part === 0 ? undefined : new CopyMemory(allow, part, concurrency * part);
    // First, so that nothing waiting starts while what runs is torn down.
    out.add(() => memory?.close());
    const copies = from(objects).pipe(
      mergeMap((object) => {
        const { info, to } = object;
        const copy = copyObject({ source, info, target, key: to, clock, random }).pipe(
          tap({
            complete: () => {
              copied(to, info.size);
            },
          }),
          ignoreElements(),
        );
        return memory?.run(held(object), copy) ?? copy;
      }, concurrency),
    );
    out.add(copies.subscribe(out));
  });
}
