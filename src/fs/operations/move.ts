/**
 * Moves objects: copy, verify, and only then delete. A directory is moved page by page of its listing:
 *
 * 1. The objects of a page are copied, each pinned by its ETag, and proven to differ from their targets (`proof.ts`).
 * 2. Each copy is verified: it has the ETag that its write returned, and the source's size.
 * 3. The page is listed again: sources that have changed since are kept.
 * 4. The other sources are deleted, and the next page is requested.
 *
 * So every object is always complete at its old place, its new one, or both. After a crash, moving again finishes the move.
 * Only one page is held in memory.
 */
import {
  concat,
  concatMap,
  defer,
  EMPTY,
  from as each,
  ignoreElements,
  map,
  mergeMap,
  of,
  reduce,
  takeWhile,
  tap,
  throwError,
  catchError,
  type Observable,
} from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import { compareKeys } from '../../store/helpers.js';
import type { ObjectInfo } from '../../store/objectStore.js';
import type { Progress } from '../types.js';
import { copyOne } from './copy.js';
import { OperationError, PartlyFailed, type Failure } from './errors.js';
import { eachListed, listPages } from '../../store/pages.js';
import { directoryOf, notFound, type Place } from './place.js';
import { resolve } from './resolve.js';
import type { CopySettings } from './transfer/object.js';
import { TargetListing } from './transfer/seen.js';
import type { Task, Written } from './transfer/task.js';
import { apart, taskOf, tasksOf } from './transfer/tasks.js';
import { transfer, type OnStep } from './transfer/transfer.js';
import type { UnlistedPolicy } from './unlisted.js';
import { putIdMetadata } from '../../store/multipart/index.js';

export function move(
  from: Place,
  to: Place,
  settings: CopySettings,
  unlisted: UnlistedPolicy,
): Observable<Progress> {
  return resolve(from).pipe(
    concatMap((named) =>
      named.kind === 'object'
        ? defer(() => moveObject(taskOf(from, named.info, to), settings))
        : moveDirectory(from, named.prefix, to, settings, unlisted),
    ),
  );
}

function moveObject(task: Task, settings: CopySettings): Observable<Progress> {
  const written = new Map<Task, Written>();
  const { from, source } = task;
  const unchanged = from.store.head(source.key, { ifMatch: source.etag }).pipe(
    catchError((error: unknown) =>
      // If another process has removed the source, the object is moved nevertheless.
      isStoreError(error, 'NotFound')
        ? EMPTY
        : throwError(() => (isStoreError(error, 'PreconditionFailed') ? changed(task) : error)),
    ),
  );
  return concat(
    copyOne(task, settings, noting(written)).pipe(
      // Not done until it is moved.
      map((progress) => ({ ...progress, objects: { done: 0, total: 1 } })),
    ),
    verified(task, written).pipe(ignoreElements()),
    unchanged.pipe(ignoreElements()),
    deleted(from, [source]).pipe(
      map(() => ({
        objects: { done: 1, total: 1 },
        bytes: { done: source.size, total: source.size },
        uri: task.to.uri(task.key),
      })),
    ),
  );
}

function moveDirectory(
  from: Place,
  prefix: string,
  to: Place,
  settings: CopySettings,
  unlisted: UnlistedPolicy,
): Observable<Progress> {
  return defer(() => {
    const target = directoryOf(to.key);
    const there = new TargetListing(to, target);
    const failures: Failure[] = [];
    let objects = 0;
    let bytes = 0;
    let uri = to.uri(target);
    // A bucket may be empty.
    let found = prefix === '';
    let before: string | undefined;
    const movePage = (page: readonly ObjectInfo[], tasks: readonly Task[]): Observable<Progress> => {
      const written = new Map<Task, Written>();
      const copied = transfer(() => of(tasks), settings, noting(written)).pipe(
        map((progress) => ({
          objects: { done: objects },
          bytes: { done: bytes + progress.bytes.done },
          uri: (uri = progress.uri),
        })),
      );
      const checked = each(tasks).pipe(
        mergeMap((task) => verified(task, written), settings.requestsAtOnce),
        ignoreElements(),
      );
      const removed = unchanged(from, prefix, before, page).pipe(
        concatMap((sure) => deleted(from, sure).pipe(map(() => sure))),
        map((sure) => {
          before = page.at(-1)?.key;
          objects += sure.length;
          bytes += sure.reduce((sum, { size }) => sum + size, 0);
          if (sure.length < page.length) throw stillThere(from, page, sure);
          return { objects: { done: objects }, bytes: { done: bytes }, uri };
        }),
      );
      return concat(copied, checked, removed);
    };
    const pages = eachListed(from.store, { prefix, ...unlisted.listing }, (page) => {
      found ||= page.objects.length > 0 || page.unlisted !== undefined;
      if (!found && page.cursor === undefined) return throwError(() => notFound(from));
      const { tasks, failures: nameless } = tasksOf(page.objects, from, prefix, to, target);
      failures.push(...unlisted.failuresOf(from, page), ...nameless);
      const stay = new Set(nameless.map(({ uri: one }) => one));
      const movable = page.objects.filter(({ key }) => !stay.has(from.uri(key)));
      if (movable.length === 0) return EMPTY;
      return there.over(tasks.map(({ key }) => key)).pipe(
        concatMap((seen) =>
          movePage(
            movable,
            tasks.map((task) => ({ ...task, seen })),
          ),
        ),
      );
    });
    const end = defer(() => {
      if (failures.length > 0) return throwError(() => new PartlyFailed('CopyFailed', 'moved', failures));
      return of({ objects: { done: objects, total: objects }, bytes: { done: bytes, total: bytes }, uri });
    });
    return concat(apart(from, prefix, to, target), pages, end);
  });
}

/** Throws `NotVerified` unless the target is the written object. */
function verified(task: Task, written: ReadonlyMap<Task, Written>): Observable<unknown> {
  return defer(() => task.to.store.head(task.key)).pipe(
    tap(({ etag, size, metadata }) => {
      const mine = written.get(task);
      const same = etag === mine?.etag && size === task.source.size;
      if (!same || (mine.putId !== undefined && metadata?.[putIdMetadata] !== mine.putId))
        throw notVerified(task);
    }),
  );
}

/** The objects of the page that have not changed since they were copied, or no longer exist. */
function unchanged(
  from: Place,
  prefix: string,
  before: string | undefined,
  page: readonly ObjectInfo[],
): Observable<readonly ObjectInfo[]> {
  const last = page.at(-1)?.key ?? '';
  const etags = new Map(page.map(({ key, etag }) => [key, etag]));
  const listing = { prefix, unlisted: 'report', links: 'files' } as const;
  return listPages(from.store, before === undefined ? listing : { ...listing, startAfter: before }).pipe(
    takeWhile(({ objects }) => compareKeys(objects.at(-1)?.key ?? '', last) < 0, true),
    reduce((off, { objects }) => {
      for (const { key, etag } of objects) if (etags.has(key) && etags.get(key) !== etag) off.add(key);
      return off;
    }, new Set<string>()),
    map((off) => page.filter(({ key }) => !off.has(key))),
  );
}

function deleted(from: Place, objects: readonly ObjectInfo[]): Observable<unknown> {
  return defer(() => from.store.delete(objects.map(({ key }) => key))).pipe(
    tap((refused) => {
      if (refused.length === 0) return;
      const failures = refused.map(({ key, error }) => ({ uri: from.uri(key), error }));
      throw new PartlyFailed('RemoveFailed', 'removed after it was copied', failures);
    }),
  );
}

function noting(written: Map<Task, Written>): OnStep {
  return (task, { etag, putId }) => {
    if (etag !== undefined) written.set(task, putId === undefined ? { etag } : { etag, putId });
  };
}

function changed({ from, source }: Task): OperationError {
  const uri = from.uri(source.key);
  return new OperationError(
    'NotVerified',
    `${uri} has changed since it was copied, and was kept. Move it again.`,
  );
}

function stillThere(from: Place, all: readonly ObjectInfo[], sure: readonly ObjectInfo[]): PartlyFailed {
  const gone = new Set(sure);
  const failures = all
    .filter((info) => !gone.has(info))
    .map(({ key }): Failure => ({
      uri: from.uri(key),
      error: new OperationError('NotVerified', 'It has changed since it was copied, and was kept.'),
    }));
  return new PartlyFailed('RemoveFailed', 'removed after it was copied', failures);
}

function notVerified({ from, source, to, key }: Task): OperationError {
  return new OperationError(
    'NotVerified',
    `${to.uri(key)} is not what was copied there: another process writes to it. ${from.uri(source.key)} was kept; compare both, and move it again.`,
  );
}
