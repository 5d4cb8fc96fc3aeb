import { catchError, concat, concatMap, defer, map, of, reduce, throwError, type Observable } from 'rxjs';
import { abortUploads } from '../../store/abortUploads.js';
import { isStoreError } from '../../store/errors.js';
import type { DeleteFailure } from '../../store/objectStore.js';
import { listPages } from '../../store/pages.js';
import { CheckpointError } from '../errors.js';
import { folderName, isSavepointName } from './name.js';
import { hasLog, readRoot, savepointPrefix, savepointUri, type SavepointPlace } from './read.js';
import { copiesPrefix, decodeRoot, rootName } from './root.js';

/**
 * Removing a savepoint, and nothing else.
 *
 * 1. **Plan.** The root names the objects. Without a root, everything below `data/0000000000/` belongs to the incomplete
 *    savepoint, if the caller asks for that, the folder has nothing else, and its name is that of a new savepoint. The
 *    directory of a job is always refused: it has a log, or, while the job begins with a savepoint and has none yet,
 *    the name of a job. *Crash:* nothing has changed.
 * 2. **Root.** Deleted first, alone. From here on the savepoint is incomplete, and no job starts from it. A job that has
 *    read the root before fails for a missing object, before it claims its log. *Crash:* an incomplete savepoint.
 * 3. **Objects,** and uploads of copies that were interrupted. *Crash:* an incomplete savepoint with fewer objects.
 */
export interface Removal {
  readonly place: SavepointPlace;
  readonly uri: string;
  /** Of an incomplete savepoint: without a root. */
  readonly incomplete: boolean;
  readonly objects: readonly { readonly key: string; readonly size: number }[];
}

/**
 * Emits what is to be removed. Errors: `NotASavepoint`; those of `readSavepoint`, `SavepointIncomplete` only without
 * `incomplete`.
 */
export function planRemoval(
  place: SavepointPlace,
  { incomplete = false }: { readonly incomplete?: boolean } = {},
): Observable<Removal> {
  const uri = savepointUri(place);
  return hasLog(place).pipe(
    concatMap((yes) => (yes ? throwError(() => directoryOfJob(uri)) : readRoot(place))),
    map((bytes): Removal => {
      const prefix = savepointPrefix(place);
      const { data } = decodeRoot(bytes, uri);
      if (data.some(([name]) => !name.startsWith(copiesPrefix))) throw otherContent(uri);
      const objects = data.map(([name, size]) => ({ key: prefix + name, size }));
      return { place, uri, incomplete: false, objects };
    }),
    catchError((error: unknown) =>
      incomplete && error instanceof CheckpointError && error.code === 'SavepointIncomplete'
        ? planIncomplete(place, uri)
        : throwError(() => error),
    ),
  );
}

function planIncomplete(place: SavepointPlace, uri: string): Observable<Removal> {
  const prefix = savepointPrefix(place);
  if (!isSavepointName(folderName(place.key))) return throwError(() => otherName(uri));
  return listPages(place.store, { prefix }).pipe(
    reduce((all: { readonly key: string; readonly size: number }[], { objects }) => {
      for (const { key, size } of objects) {
        if (!key.startsWith(prefix + copiesPrefix)) throw otherContent(uri);
        all.push({ key, size });
      }
      return all;
    }, []),
    map((objects) => ({ place, uri, incomplete: true, objects })),
  );
}

/** Carries a plan out. Emits what could not be removed. Errors: those of the store, if the root could not be. */
export function removePlanned({ place, incomplete, objects }: Removal): Observable<readonly DeleteFailure[]> {
  const { store } = place;
  const prefix = savepointPrefix(place);
  const root = defer(() => store.delete([prefix + rootName])).pipe(
    map(([failure]): readonly DeleteFailure[] => {
      if (failure !== undefined) throw failure.error;
      return [];
    }),
  );
  const data = defer(() => store.delete(objects.map(({ key }) => key)));
  const uploads = defer(() => abortUploads(store, prefix + copiesPrefix, () => true)).pipe(
    map((): readonly DeleteFailure[] => []),
    // The right to list uploads is not needed for anything else.
    catchError((error: unknown) =>
      isStoreError(error, 'PermissionDenied', 'NotSupported') ? of([]) : throwError(() => error),
    ),
  );
  return concat(incomplete ? of([]) : root, data, uploads).pipe(
    reduce((all: readonly DeleteFailure[], failures) => [...all, ...failures], []),
  );
}

const notASavepoint = (message: string): CheckpointError => new CheckpointError('NotASavepoint', message);

const directoryOfJob = (uri: string): CheckpointError =>
  notASavepoint(`${uri} is the checkpoint directory of a job, not a savepoint. Nothing was removed.`);

const otherContent = (uri: string): CheckpointError =>
  notASavepoint(
    `${uri} has objects that do not belong to a savepoint. Nothing was removed. If they are not needed, use millrace rm --recursive.`,
  );

const otherName = (uri: string): CheckpointError =>
  notASavepoint(
    `${uri} has no root, and is not named like a savepoint: it may be the directory of a job that begins with a savepoint. Nothing was removed. If no such job is starting, use millrace rm --recursive.`,
  );
