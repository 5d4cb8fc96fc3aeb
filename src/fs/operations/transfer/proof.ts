/**
 * What is moved must not be its own target, whatever names both have: removing the source would remove the only copy. No
 * name proves that they differ (links, access points, host names, file systems that ignore case), and neither do equal
 * ETags or times that they do not. It is proven:
 *
 * 1. by what they are: local files have a device and an inode;
 * 2. else because there is nothing at the target before it is written: the source is there;
 * 3. else by a put-id in the metadata of what is written. If the source has it afterwards, both are one, and it stays.
 *
 * So where nothing is replaced, it takes one look at the target; only what replaces something is written with a mark, and
 * the source looked at once more.
 */
import { catchError, defer, forkJoin, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../../store/errors.js';
import { putIdMetadata } from '../../../store/multipart/index.js';
import { samePlace, type OperationError } from '../errors.js';
import type { Step, Task } from './task.js';

/** Whether source and target are one file, where that can be told; `undefined` where it cannot. */
export function sameFile({ from, source, to, key }: Task): Observable<boolean | undefined> {
  return defer(() => {
    const [a, b] = [from.location.identities, to.location.identities];
    if (a === undefined || b === undefined) return of(undefined);
    return forkJoin([a.object(source.key), b.object(key)]).pipe(
      map(([one, other]) => (one === undefined ? undefined : one === other)),
    );
  });
}

/** Emits the step unless it shows that the target is the source. Errors: `SamePlace`. */
export function proven(task: Task, step: Step): Observable<Step> {
  const { from, source } = task;
  const { putId } = step;
  if (putId === undefined) return of(step);
  return defer(() => from.store.head(source.key)).pipe(
    map(({ metadata }) => {
      if (metadata?.[putIdMetadata] === putId) throw oneObject(task);
      return step;
    }),
    // Somebody else has removed it.
    catchError((error: unknown) => (isStoreError(error, 'NotFound') ? of(step) : throwError(() => error))),
  );
}

export function oneObject({ from, source, to, key }: Task): OperationError {
  return samePlace(from.uri(source.key), to.uri(key));
}
