import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import type { Progress } from '../types.js';
import { PartlyFailed } from './errors.js';
import type { Place } from './place.js';
import { resolve } from './resolve.js';
import type { Means } from './transfer/object.js';
import type { Task } from './transfer/task.js';
import { taskOf, tasksOfDirectory } from './transfer/tasks.js';
import { transfer, type OnStep } from './transfer/transfer.js';
import type { Exceptions } from './unlisted.js';

/** Copies an object, or the content of a directory. */
export function copy(from: Place, to: Place, means: Means, exceptions: Exceptions): Observable<Progress> {
  return resolve(from).pipe(
    concatMap((named) =>
      named.kind === 'object'
        ? defer(() => copyOne(taskOf(from, named.info, to), means))
        : transfer(
            tasksOfDirectory(from, named.prefix, to, { targets: !means.overwrite, exceptions }),
            means,
          ).pipe(map(plain)),
    ),
  );
}

/** Copies one object. Its error is passed on as it is, not as `PartlyFailed`. */
export function copyOne(task: Task, means: Means, onStep?: OnStep): Observable<Progress> {
  return transfer(() => of([task]), means, onStep).pipe(
    map(plain),
    catchError((error: unknown) =>
      throwError(() => (error instanceof PartlyFailed ? error.failures[0]?.error : error)),
    ),
  );
}

function plain({ objects, bytes, uri }: Progress): Progress {
  return { objects, bytes, uri };
}
