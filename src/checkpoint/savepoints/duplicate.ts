import {
  catchError,
  concat,
  concatMap,
  defer,
  endWith,
  ignoreElements,
  map,
  of,
  throwError,
  type Observable,
} from 'rxjs';
import type { Located } from '../../store/relation.js';
import { CheckpointError } from '../errors.js';
import type { Signing } from '../signature.js';
import { copyData, lookUp, type CopiedSavepoint, type CopyAround } from './copy.js';
import { hasLog, readRoot, savepointPrefix, savepointUri, type SavepointPlace } from './read.js';
import { corruptSavepoint, decodeRoot, rootName, wrongSize } from './root.js';

/**
 * Copying a savepoint to another folder. A copy of a directory copies objects in any order, so there is a moment at
 * which the copy has a root and lacks objects. Here the root comes last:
 *
 * 1. **Read** the root, look up every object, and look at the target, which must not be another savepoint or a job.
 *    *Crash:* nothing has changed.
 * 2. **Copy** the objects. *Crash:* an incomplete savepoint, which the same copy completes.
 * 3. **Root.** Its bytes are those of the original, with its signature.
 */
export interface DuplicateOptions extends CopyAround {
  readonly source: SavepointPlace & Located;
  readonly target: SavepointPlace & Located;
  readonly sign: Signing | undefined;
}

/** Emits once; nothing is copied if the same savepoint is there. Errors: those of `readSavepoint`; `SavepointCorrupt`; `SavepointExists`. */
export function duplicateSavepoint(options: DuplicateOptions): Observable<CopiedSavepoint> {
  const { source, target, sign } = options;
  const where = savepointUri(source);
  return readRoot(source).pipe(
    concatMap((bytes) => {
      const { data } = decodeRoot(bytes, where, sign);
      return isThere(target, bytes).pipe(
        concatMap((there) => {
          const total = data.reduce((sum, [, size]) => sum + size, 0);
          return there ? of({ objects: 0, bytes: 0 }) : copied(options, bytes, data, total);
        }),
      );
    }),
  );
}

function copied(
  options: DuplicateOptions,
  root: Buffer,
  data: readonly (readonly [name: string, bytes: number])[],
  bytes: number,
): Observable<CopiedSavepoint> {
  const { source, target } = options;
  const sizes = new Map(data);
  const objects = data.map(([name]) => ({
    name,
    from: savepointPrefix(source) + name,
    to: savepointPrefix(target) + name,
  }));
  const check = (name: string, found: number | undefined): void => {
    if (found === sizes.get(name)) return;
    throw corruptSavepoint(savepointUri(source), wrongSize(name, found, sizes.get(name) ?? 0));
  };
  return lookUp(objects, source, check).pipe(
    concatMap((found) => copyData(found, source, target, options)),
    (copies) =>
      concat(
        copies,
        defer(() => target.store.put(savepointPrefix(target) + rootName, root)).pipe(ignoreElements()),
      ),
    endWith({ objects: objects.length, bytes }),
  );
}

/** Whether the target is this savepoint already. */
function isThere(target: SavepointPlace, root: Buffer): Observable<boolean> {
  return hasLog(target).pipe(
    concatMap((yes) => (yes ? throwError(() => exists(target)) : readRoot(target))),
    map((bytes) => {
      if (!bytes.equals(root)) throw exists(target);
      return true;
    }),
    catchError((error: unknown) =>
      error instanceof CheckpointError &&
      (error.code === 'SavepointNotFound' || error.code === 'SavepointIncomplete')
        ? of(false)
        : throwError(() => error),
    ),
  );
}

function exists(target: SavepointPlace): CheckpointError {
  return new CheckpointError(
    'SavepointExists',
    `There is another savepoint, or a job, at ${savepointUri(target)}. Nothing was copied. Copy to another folder, or remove what is there.`,
  );
}
