/**
 * How the directory that is copied and its target lie to each other, under whatever names: so that nothing is copied onto
 * itself, or into what is still to be read.
 *
 * In one bucket, keys tell. Two local directories are asked for what they are. Two buckets of S3 may be one under two names
 * (another host name, an access point), which no server tells; where their keys nest, an object of the source is looked
 * for at the target's, by its own key, and if it is there just so, they count as one.
 */
import { catchError, concatMap, defer, forkJoin, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { ObjectInfo } from '../../store/objectStore.js';
import type { DirectoryIdentity } from '../../store/services.js';
import type { Place } from './place.js';
import { sameBucket } from './transfer/task.js';

/** The way leads from the outer directory to the inner one, and ends in a slash unless it is empty. */
export interface Relation {
  /** Where the target is: it is the source, or inside it, or around it. */
  readonly target: 'same' | 'inside' | 'around';
  readonly way: string;
}

/** How `target` lies to `prefix`; `undefined` if neither is in the other. Both end in a slash, or are a bucket as a whole. */
export function relationOf(
  from: Place,
  prefix: string,
  to: Place,
  target: string,
): Observable<Relation | undefined> {
  return defer(() => {
    const byKeys = nesting(prefix, target);
    if (sameBucket(from, to) && byKeys !== undefined) return of(byKeys);
    const [a, b] = [from.location.identities, to.location.identities];
    if (a !== undefined && b !== undefined)
      return forkJoin([a.directory(prefix), b.directory(target)]).pipe(
        map(([source, goal]) => nestingOf(source, goal)),
      );
    // Side by side they do each other no harm, whether they are in one bucket or not.
    if (byKeys === undefined || byKeys.target === 'same' || !remote(from) || !remote(to))
      return of(undefined);
    return mayBeOne(from, prefix, to).pipe(map((yes) => (yes ? byKeys : undefined)));
  });
}

/** The key under which a listing of the source would find again what is written at `rest` below the target. */
export function foundAgain(relation: Relation | undefined, prefix: string, rest: string): string | undefined {
  if (relation === undefined) return undefined;
  const { target, way } = relation;
  if (target !== 'around') return prefix + way + rest;
  return rest.startsWith(way) ? prefix + rest.slice(way.length) : undefined;
}

function nesting(prefix: string, target: string): Relation | undefined {
  if (prefix === target) return { target: 'same', way: '' };
  if (target.startsWith(prefix)) return { target: 'inside', way: target.slice(prefix.length) };
  if (prefix.startsWith(target)) return { target: 'around', way: prefix.slice(target.length) };
  return undefined;
}

function nestingOf(source: DirectoryIdentity, goal: DirectoryIdentity): Relation | undefined {
  const [own] = source.within;
  if (own === undefined || source.missing.length > 0) return undefined;
  const wayDown = (from: DirectoryIdentity, to: string): string | undefined => {
    const at = from.within.findIndex(({ id }) => id === to);
    if (at < 0) return undefined;
    const names = from.within.slice(0, at).map(({ name }) => name);
    return [...names.reverse(), ...from.missing].map((name) => `${name}/`).join('');
  };
  const inside = wayDown(goal, own.id);
  if (inside !== undefined) return { target: inside === '' ? 'same' : 'inside', way: inside };
  const [other] = goal.within;
  const around = other === undefined || goal.missing.length > 0 ? undefined : wayDown(source, other.id);
  return around === undefined ? undefined : { target: 'around', way: around };
}

/** Servers tell times by the second, in listings and of objects. Milliseconds. */
const sameTime = 2000;

/** Whether the first object of the source is at the target's bucket, too, with all that is known of it. */
function mayBeOne(from: Place, prefix: string, to: Place): Observable<boolean> {
  return from.store.list({ prefix, limit: 1, unlisted: 'report' }).pipe(
    concatMap(({ objects: [witness] }) =>
      witness === undefined
        ? of(false)
        : to.store.head(witness.key).pipe(
            map((there) => alike(witness, there)),
            catchError((error: unknown) =>
              isStoreError(error, 'NotFound', 'PermissionDenied') ? of(false) : throwError(() => error),
            ),
          ),
    ),
  );
}

function alike(a: ObjectInfo, b: ObjectInfo): boolean {
  return a.size === b.size && a.etag === b.etag && Math.abs(a.modified - b.modified) < sameTime;
}

function remote({ scheme }: Place): boolean {
  return scheme === 's3' || scheme === 's3x';
}
