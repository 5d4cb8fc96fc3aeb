import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import type { Progress } from '../types.js';
import { PartlyFailed } from './errors.js';
import type { Place } from './place.js';
import { resolve } from './resolve.js';
import type { CopySettings } from './transfer/object.js';
import type { Task } from './transfer/task.js';
import { taskOf, tasksOfDirectory } from './transfer/tasks.js';
import { transfer, type OnStep } from './transfer/transfer.js';
import type { UnlistedPolicy } from './unlisted.js';

/** Copies an object, or the content of a directory. */
export function copy(
  from: Place,
  to: Place,
  settings: CopySettings,
  unlisted: UnlistedPolicy,
): Observable<Progress> {
  return resolve(from).pipe(
    concatMap((named) =>
      named.kind === 'object'
        ? defer(() => copyOne(taskOf(from, named.info, to), settings))
        : transfer(
            tasksOfDirectory(from, named.prefix, to, { targets: !settings.overwrite, unlisted }),
            settings,
          ).pipe(map(plain)),
    ),
  );
}

/** Copies one object. Its error is passed on as it is, not as `PartlyFailed`. */
export function copyOne(task: Task, settings: CopySettings, onStep?: OnStep): Observable<Progress> {
  return transfer(() => of([task]), settings, onStep).pipe(
    map(plain),
    catchError((error: unknown) =>
      throwError(() => (error instanceof PartlyFailed ? error.failures[0]?.error : error)),
    ),
  );
}

function plain({ objects, bytes, uri }: Progress): Progress {
  return { objects, bytes, uri };
}
