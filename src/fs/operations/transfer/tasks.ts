/** Expands pairs of URIs to objects and their targets. */
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
import { StoreError } from '../../../store/errors.js';
import type { ListPage, ObjectInfo } from '../../../store/objectStore.js';
import { isSameBucket } from '../../../store/relation.js';
import type { Stores } from '../../../store/services.js';
import type { CopyPair } from '../../types.js';
import { asError, OperationError, samePlace, type Failure } from '../errors.js';
import { eachListed } from '../../../store/pages.js';
import { directoryOf, globbed, isDirectory, nameOf, notFound, placeOf, type Place } from '../place.js';
import { foundAgain, relationOf } from '../relation.js';
import { resolve } from '../resolve.js';
import { couldMatch, type UnlistedPolicy } from '../unlisted.js';
import { TargetListing } from './seen.js';
import type { Task } from './task.js';
import type { Tasks } from './transfer.js';

/** Pairs that are expanded concurrently. */
const lookups = 8;

/** How sources and targets are listed. */
export interface Looking {
  /** Whether existing targets matter. */
  readonly targets: boolean;
  readonly unlisted: UnlistedPolicy;
}

/** The objects of all pairs. A missing source is a failure among others if there are several pairs. */
export function tasksOfPairs(stores: Stores, pairs: readonly CopyPair[], look: Looking): Tasks {
  const last = pairs.length - 1;
  return (pace) =>
    from(pairs).pipe(
      mergeMap((pair, i) => {
        const tasks = defer(() => tasksOfPair(stores, pair, look)(pace));
        if (last === 0) return tasks;
        const caught = tasks.pipe(
          catchError((error: unknown) => of([{ uri: hideUserInfo(pair.from), error: asError(error) }])),
        );
        return concat(caught, i < last ? pace : EMPTY);
      }, lookups),
    );
}

function tasksOfPair(stores: Stores, pair: CopyPair, look: Looking): Tasks {
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

/** The task of an object, to a key, or into a directory with its own name. Throws `SamePlace`. */
export function taskOf(from: Place, source: ObjectInfo, to: Place): Task {
  const into = isDirectory(to.key);
  const key = into ? to.key + nameOf(source.key) : to.key;
  return checked({ from, source, to, key, ...(into ? { root: to.key } : {}), seen: undefined });
}

/** The tasks of a directory's content. Errors: `NotFound`, `SamePlace`, `IntoItself`, `Overlap`. */
export function tasksOfDirectory(from: Place, prefix: string, to: Place, look: Looking): Tasks {
  const target = directoryOf(to.key);
  return (pace) => {
    // A bucket may be empty.
    let found = prefix === '';
    const take = (page: ListPage): readonly (Task | Failure)[] => {
      const { objects, cursor } = page;
      found ||= objects.length > 0 || page.unlisted !== undefined;
      if (!found && cursor === undefined) throw notFound(from);
      const { tasks, failures } = tasksOf(objects, from, prefix, to, target);
      return [...look.unlisted.failuresOf(from, page), ...failures, ...tasks];
    };
    return concat(apart(from, prefix, to, target), pagesOfTasks(from, prefix, take, to, target, look, pace));
  };
}

/** The tasks of one page. A directory's marker has no counterpart in a whole bucket; a marker with content is a failure. */
export function tasksOf(
  objects: readonly ObjectInfo[],
  from: Place,
  prefix: string,
  to: Place,
  target: string,
): { readonly tasks: Task[]; readonly failures: Failure[] } {
  const tasks: Task[] = [];
  const failures: Failure[] = [];
  for (const source of objects) {
    const key = target + source.key.slice(prefix.length);
    if (key !== '') tasks.push({ from, source, to, key, root: target, seen: undefined });
    else if (source.size > 0) failures.push({ uri: from.uri(source.key), error: nameless(source, from, to) });
  }
  return { tasks, failures };
}

function nameless({ key }: ObjectInfo, from: Place, to: Place): StoreError {
  return new StoreError(
    'InvalidRequest',
    `${from.uri(key)} is an object with content, and would have no name in ${to.uri('')}. Name a directory there, or copy it separately.`,
  );
}

/** The tasks of matching objects. Their target keys start after the last fixed slash of the pattern. */
function matching(
  from: Place,
  glob: Glob,
  to: Place,
  look: Looking,
  pace: Observable<never>,
): Observable<readonly (Task | Failure)[]> {
  const base = from.key.slice(0, from.key.lastIndexOf('/') + 1);
  const target = directoryOf(to.key);
  return relationOf(from, base, to, target).pipe(
    concatMap((relation) => {
      const take = (page: ListPage): readonly (Task | Failure)[] => {
        const wanted = page.objects.filter(({ key }) => glob.matches(key));
        const { tasks, failures } = tasksOf(wanted, from, base, to, target);
        for (const { source, key } of tasks) {
          const again = foundAgain(relation, base, key.slice(target.length));
          if (again === source.key) throw samePlace(from.uri(source.key), to.uri(key));
          if (again !== undefined && glob.matches(again)) throw overlap(from.uri(base), to.uri(target));
        }
        return [...look.unlisted.failuresOf(from, page, couldMatch(glob)), ...failures, ...tasks];
      };
      return pagesOfTasks(from, from.key, take, to, target, look, pace);
    }),
  );
}

/** The tasks of each page of the source, with the existing targets. */
function pagesOfTasks(
  from: Place,
  prefix: string,
  take: (page: ListPage) => readonly (Task | Failure)[],
  to: Place,
  target: string,
  look: Looking,
  pace: Observable<never>,
): Observable<readonly (Task | Failure)[]> {
  return defer(() => {
    const there = new TargetListing(to, target);
    return eachListed(from.store, { prefix, ...look.unlisted.listing }, (page) => {
      const tasks = take(page);
      const keys = tasks.flatMap((task) => ('error' in task ? [] : [task.key]));
      const told = look.targets ? there.over(keys) : of(undefined);
      return concat(
        told.pipe(map((seen) => tasks.map((task) => ('error' in task ? task : { ...task, seen })))),
        page.cursor === undefined ? EMPTY : pace,
      );
    });
  });
}

/** Completes if a directory can be copied to another. Errors: `SamePlace`, `IntoItself`, `Overlap`. */
export function apart(from: Place, prefix: string, to: Place, target: string): Observable<never> {
  return relationOf(from, prefix, to, target).pipe(
    concatMap((relation) => {
      if (relation === undefined) return EMPTY;
      const names = [from.uri(prefix), to.uri(target)] as const;
      if (relation.target === 'same') return throwError(() => samePlace(...names));
      if (relation.target === 'inside') return throwError(() => intoItself(...names));
      // From a subdirectory: `d/s/s/x` would overwrite `d/s/x`, which may not have been read yet.
      return from.store
        .list({ prefix: prefix + relation.way, limit: 1, unlisted: 'report' })
        .pipe(
          concatMap(({ objects }) => (objects.length === 0 ? EMPTY : throwError(() => overlap(...names)))),
        );
    }),
  );
}

function checked(task: Task): Task {
  const { from, source, to, key } = task;
  if (source.key === key && isSameBucket(from.location, to.location))
    throw samePlace(from.uri(key), to.uri(key));
  return task;
}

function intoItself(from: string, to: string): OperationError {
  return new OperationError(
    'IntoItself',
    `${to} is inside ${from}: a directory cannot be copied into itself. Name a target outside.`,
  );
}

function overlap(from: string, to: string): OperationError {
  return new OperationError(
    'Overlap',
    `Copying ${from} to ${to} would write over, or find again, what it has still to read. Copy to another place first.`,
  );
}
