/**
 * Proves that the source of a move is not its own target: removing it would remove the only copy. Different names do not
 * prove that (links, access points, host names, case-insensitive file systems), and equal ETags or times do not prove the
 * opposite. The proof is:
 *
 * 1. the identities of local files: device and inode;
 * 2. else that the target does not exist before it is written, while the source does;
 * 3. else a put-id in the metadata of the written object. If the source then has it, both are one object, which is kept.
 *
 * So a HEAD of the target suffices if nothing is replaced; a replacement is written with a put-id, and needs another HEAD of
 * the source.
 */
import { catchError, defer, forkJoin, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../../store/errors.js';
import { putIdMetadata } from '../../../store/multipart/index.js';
import { samePlace, type OperationError } from '../errors.js';
import type { Step, Task } from './task.js';

/** Whether source and target are one file; `undefined` if unknown. */
export function sameFile({ from, source, to, key }: Task): Observable<boolean | undefined> {
  return defer(() => {
    const [a, b] = [from.location.identities, to.location.identities];
    if (a === undefined || b === undefined) return of(undefined);
    return forkJoin([a.object(source.key), b.object(key)]).pipe(
      map(([one, other]) => (one === undefined ? undefined : one === other)),
    );
  });
}

/** Emits the step, unless it proves that the target is the source. Errors: `SamePlace`. */
export function proven(task: Task, step: Step): Observable<Step> {
  const { from, source } = task;
  const { putId } = step;
  if (putId === undefined) return of(step);
  return defer(() => from.store.head(source.key)).pipe(
    map(({ metadata }) => {
      if (metadata?.[putIdMetadata] === putId) throw oneObject(task);
      return step;
    }),
    // Another process has removed it.
    catchError((error: unknown) => (isStoreError(error, 'NotFound') ? of(step) : throwError(() => error))),
  );
}

export function oneObject({ from, source, to, key }: Task): OperationError {
  return samePlace(from.uri(source.key), to.uri(key));
}
