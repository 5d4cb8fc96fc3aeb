import { catchError, concatMap, defer, map, mergeMap, of, reduce, throwError, type Observable } from 'rxjs';
import { listPages } from '../../store/pages.js';
import { CheckpointError } from '../errors.js';
import type { Signing } from '../signature.js';
import { folderName, isSavepointName } from './name.js';
import { readRoot, readSavepoint, savepointPrefix, savepointUri, type SavepointPlace } from './read.js';
import { copiesPrefix, corruptSavepoint, decodeRoot, isSigned, wrongSize } from './root.js';

/** Savepoints as they are stored: what a folder has, and whether a savepoint is whole. */

/** A folder that is a savepoint, or was to become one. */
export interface StoredSavepoint {
  /** Of its folder, with a slash at its end. */
  readonly key: string;
  readonly complete: boolean;
  /** Absent if there is no readable root, like the other facts about the checkpoint. */
  readonly job?: string;
  readonly checkpoint?: number;
  /** When the checkpoint was made; of an incomplete savepoint, when its newest object was. Milliseconds since the epoch. */
  readonly at?: number;
  /** Data objects, and their bytes. */
  readonly objects?: number;
  readonly bytes?: number;
  /** Why the root cannot be used: `SavepointCorrupt`, `SavepointTooNew`, `ManifestNotTrusted`, … */
  readonly error?: CheckpointError;
}

/** Folders that are looked into concurrently. */
const looks = 8;

/**
 * Emits each savepoint in a folder, in the order of names, or the one that the folder itself is. Folders without a root
 * count as incomplete savepoints only if they are named like new ones: the directory of a job looks the same while the
 * job begins with a savepoint.
 */
export function savepointsIn(place: SavepointPlace, sign?: Signing): Observable<StoredSavepoint> {
  const { store } = place;
  return describe(place, sign).pipe(
    concatMap((own) => {
      if (own !== undefined) return of(own);
      return listPages(store, { prefix: savepointPrefix(place), delimiter: '/' }).pipe(
        concatMap(({ prefixes }) =>
          defer(() => prefixes).pipe(
            mergeMap((key, i) => describe({ store, key }, sign).pipe(map((found) => ({ found, i }))), looks),
            reduce((all: (StoredSavepoint | undefined)[], { found, i }) => {
              all[i] = found;
              return all;
            }, []),
            concatMap((all) => all.flatMap((found) => found ?? [])),
          ),
        ),
      );
    }),
  );
}

function describe(place: SavepointPlace, sign: Signing | undefined): Observable<StoredSavepoint | undefined> {
  const key = savepointPrefix(place);
  return readSavepoint(place, sign).pipe(
    map(({ job, checkpoint, at, data }): StoredSavepoint => {
      const bytes = data.reduce((sum, [, size]) => sum + size, 0);
      return { key, complete: true, job, checkpoint, at, objects: data.length, bytes };
    }),
    catchError((error: unknown) => {
      if (!(error instanceof CheckpointError)) return throwError(() => error);
      if (error.code === 'SavepointNotFound') return of(undefined);
      if (error.code !== 'SavepointIncomplete') return of({ key, complete: false, error });
      return isSavepointName(folderName(place.key)) ? incomplete(place) : of(undefined);
    }),
  );
}

function incomplete(place: SavepointPlace): Observable<StoredSavepoint> {
  const none = { objects: 0, bytes: 0, at: 0 };
  return listPages(place.store, { prefix: savepointPrefix(place) + copiesPrefix }).pipe(
    reduce(
      (sum, { objects }) =>
        objects.reduce(
          (so, { size, modified }) => ({
            objects: so.objects + 1,
            bytes: so.bytes + size,
            at: Math.max(so.at, modified),
          }),
          sum,
        ),
      none,
    ),
    map((sums) => ({ key: savepointPrefix(place), complete: false, ...sums })),
  );
}

/** A savepoint that was examined. */
export interface VerifiedSavepoint {
  /** As in {@link StoredSavepoint}. */
  readonly job: string;
  readonly checkpoint: number;
  readonly at: number;
  readonly objects: number;
  readonly bytes: number;
  /** `unchecked`: there is one, and no key to check it. */
  readonly signature: 'valid' | 'none' | 'unchecked';
  /** Objects that are missing or have another size. */
  readonly flaws: readonly { readonly name: string; readonly error: CheckpointError }[];
}

/** Compares what a root names with what is there. Emits once. Errors: those of `readSavepoint`. */
export function verifySavepoint(place: SavepointPlace, sign?: Signing): Observable<VerifiedSavepoint> {
  const uri = savepointUri(place);
  return readRoot(place).pipe(
    concatMap((bytes) => {
      const { job, checkpoint, at, data } = decodeRoot(bytes, uri, sign);
      const signature = !isSigned(bytes) ? 'none' : sign === undefined ? 'unchecked' : 'valid';
      return sizesBelow(place).pipe(
        map((sizes): VerifiedSavepoint => ({
          ...{ job, checkpoint, at, signature },
          objects: data.length,
          bytes: data.reduce((sum, [, size]) => sum + size, 0),
          flaws: data
            .filter(([name, size]) => sizes.get(name) !== size)
            .map(([name, size]) => ({
              name,
              error: corruptSavepoint(uri, wrongSize(name, sizes.get(name), size)),
            })),
        })),
      );
    }),
  );
}

function sizesBelow(place: SavepointPlace): Observable<ReadonlyMap<string, number>> {
  const prefix = savepointPrefix(place);
  return listPages(place.store, { prefix: `${prefix}data/` }).pipe(
    reduce((sizes, { objects }) => {
      for (const { key, size } of objects) sizes.set(key.slice(prefix.length), size);
      return sizes;
    }, new Map<string, number>()),
  );
}
