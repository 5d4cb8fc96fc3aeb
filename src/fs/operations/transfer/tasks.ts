/** From pairs of URIs to the objects that they mean, and where each of those goes. */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  from,
  map,
  mergeMap,
  of,
  throwError,
  type Observable,
} from 'rxjs';
import { hideUserInfo, type Glob } from '../../../path/index.js';
import type { ListPage, ObjectInfo } from '../../../store/objectStore.js';
import type { Stores } from '../../../store/services.js';
import type { CopyPair } from '../../types.js';
import { asError, OperationError } from '../errors.js';
import { eachListed } from '../../../store/pages.js';
import { directoryOf, globbed, isDirectory, nameOf, notFound, placeOf, type Place } from '../place.js';
import { resolve } from '../resolve.js';
import { TargetListing } from './seen.js';
import { sameBucket, type Task } from './task.js';
import type { Tasks } from './transfer.js';

/** Pairs of a list that are looked up at the same time. */
const lookups = 8;

/**
 * The objects of all pairs. Of several pairs, one whose source is not there is a failure among others.
 * `look`: whether it matters what is at the targets.
 */
export function tasksOfPairs(stores: Stores, pairs: readonly CopyPair[], look: boolean): Tasks {
  const last = pairs.length - 1;
  return (pace) =>
    from(pairs).pipe(
      mergeMap((pair, i) => {
        const tasks = defer(() => tasksOfPair(stores, pair, look)(pace));
        if (last === 0) return tasks;
        const noted = tasks.pipe(
          catchError((error: unknown) => of([{ uri: hideUserInfo(pair.from), error: asError(error) }])),
        );
        return concat(noted, i < last ? pace : EMPTY);
      }, lookups),
    );
}

function tasksOfPair(stores: Stores, pair: CopyPair, look: boolean): Tasks {
  const { place, glob } = globbed(stores, pair.from);
  const to = placeOf(stores, pair.to);
  if (glob.wild) return (pace) => matching(place, glob, to, look, pace);
  return (pace) =>
    resolve(place).pipe(
      concatMap((named) =>
        named.kind === 'object'
          ? of([taskOf(place, named.info, to)])
          : tasksOfDirectory(place, named.prefix, to, look)(pace),
      ),
    );
}

/** An object to a key, or into a directory under its own name. Throws `SamePlace`. */
export function taskOf(from: Place, source: ObjectInfo, to: Place): Task {
  const key = isDirectory(to.key) ? to.key + nameOf(source.key) : to.key;
  return checked({ from, source, to, key, seen: undefined });
}

/** The content of a directory, into a directory. Errors: `NotFound`, `SamePlace`, `IntoItself`, `Overlap`. */
export function tasksOfDirectory(from: Place, prefix: string, to: Place, look: boolean): Tasks {
  const target = directoryOf(to.key);
  return (pace) => {
    // A bucket may be empty.
    let found = prefix === '';
    const take = ({ objects, cursor }: ListPage): Task[] => {
      found ||= objects.length > 0;
      if (!found && cursor === undefined) throw notFound(from);
      return tasksOf(objects, from, prefix, to, target);
    };
    return concat(apart(from, prefix, to, target), pagesOfTasks(from, prefix, take, to, target, look, pace));
  };
}

/** The objects of one page. The marker of a directory has no counterpart in a bucket as a whole. */
export function tasksOf(
  objects: readonly ObjectInfo[],
  from: Place,
  prefix: string,
  to: Place,
  target: string,
): Task[] {
  return objects.flatMap((source) => {
    const key = target + source.key.slice(prefix.length);
    return key === '' ? [] : [{ from, source, to, key, seen: undefined }];
  });
}

/** What matches, under its key from the last fixed slash of the pattern on. */
function matching(
  from: Place,
  glob: Glob,
  to: Place,
  look: boolean,
  pace: Observable<never>,
): Observable<readonly Task[]> {
  const base = from.key.slice(0, from.key.lastIndexOf('/') + 1);
  const target = directoryOf(to.key);
  const again = sameBucket(from, to);
  const take = ({ objects }: ListPage): Task[] => {
    const wanted = objects.filter(({ key }) => glob.matches(key));
    const tasks = tasksOf(wanted, from, base, to, target);
    for (const task of tasks)
      if (again && glob.matches(checked(task).key)) throw overlap(from.uri(base), to.uri(target));
    return tasks;
  };
  return pagesOfTasks(from, from.key, take, to, target, look, pace);
}

/** Page by page of the source's listing, with what the target's tells. */
function pagesOfTasks(
  from: Place,
  prefix: string,
  take: (page: ListPage) => readonly Task[],
  to: Place,
  target: string,
  look: boolean,
  pace: Observable<never>,
): Observable<readonly Task[]> {
  return defer(() => {
    const there = new TargetListing(to, target);
    return eachListed(from.store, { prefix }, (page) => {
      const tasks = take(page);
      const told = look ? there.over(tasks.map(({ key }) => key)) : of(undefined);
      return concat(
        told.pipe(map((seen) => tasks.map((task) => ({ ...task, seen })))),
        page.cursor === undefined ? EMPTY : pace,
      );
    });
  });
}

/** Completes if a directory can be copied to another. */
export function apart(from: Place, prefix: string, to: Place, target: string): Observable<never> {
  return defer(() => {
    if (!sameBucket(from, to)) return EMPTY;
    const names = [from.uri(prefix), to.uri(target)] as const;
    if (prefix === target) return throwError(() => samePlace(names[1]));
    if (target.startsWith(prefix)) return throwError(() => intoItself(...names));
    if (!prefix.startsWith(target)) return EMPTY;
    // Out of a subdirectory: `d/s/s/x` would go where `d/s/x` may still have to be read.
    const again = prefix + prefix.slice(target.length);
    return from.store
      .list({ prefix: again, limit: 1 })
      .pipe(concatMap(({ objects }) => (objects.length === 0 ? EMPTY : throwError(() => overlap(...names)))));
  });
}

function checked(task: Task): Task {
  const { from, source, to, key } = task;
  if (source.key === key && sameBucket(from, to)) throw samePlace(to.uri(key));
  return task;
}

function samePlace(uri: string): OperationError {
  return new OperationError('SamePlace', `Source and target are both ${uri}. Name another target.`);
}

function intoItself(from: string, to: string): OperationError {
  return new OperationError(
    'IntoItself',
    `${to} is inside ${from}: a directory has no place in itself. Name a target outside.`,
  );
}

function overlap(from: string, to: string): OperationError {
  return new OperationError(
    'Overlap',
    `Copying ${from} to ${to} would write over, or find again, what it has still to read. Copy to another place first.`,
  );
}
