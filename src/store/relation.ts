/**
 * How two directories lie to each other, under whatever names they are known: so that nothing is written into what
 * something else lives in.
 *
 * In one bucket, keys tell. Two local directories are asked for what they are. Two buckets of S3 may be one under two names
 * (another host name, an access point), which no server tells; where their keys nest, an object of the one is looked
 * for in the other, by its own key, and if it is there just so, they count as one.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  forkJoin,
  map,
  mergeMap,
  of,
  throwError,
  type Observable,
} from 'rxjs';
import { isStoreError } from './errors.js';
import type { ObjectInfo } from './objectStore.js';
import type { DirectoryIdentity, StoreLocation } from './services.js';

/** Where directories are: a location, whatever its key. */
export type Located = Pick<StoreLocation, 'store' | 'bucket' | 'server' | 'identities'>;

/** The way leads from the outer directory to the inner one, and ends in a slash unless it is empty. */
export interface Relation {
  /** Where the target is: it is the source, or inside it, or around it. */
  readonly target: 'same' | 'inside' | 'around';
  readonly way: string;
}

/**
 * How `target` lies to `prefix`: nothing if neither is in the other, and more than one relation where links lead from one to
 * the other by a second way. Both end in a slash, or are a bucket as a whole.
 */
export function relationsOf(
  from: Located,
  prefix: string,
  to: Located,
  target: string,
): Observable<Relation> {
  return defer(() => {
    const byKeys = nesting(prefix, target);
    const known = byKeys !== undefined && isSameBucket(from, to) ? of(byKeys) : EMPTY;
    const [a, b] = [from.identities, to.identities];
    if (a !== undefined && b !== undefined)
      return concat(
        known,
        defer(() => forkJoin([a.directory(prefix), b.directory(target)])).pipe(
          mergeMap(([source, goal]) => {
            const found = nestingOf(source, goal);
            return found === undefined ? [] : [found];
          }),
        ),
      );
    if (byKeys === undefined || isSameBucket(from, to) || a !== undefined || b !== undefined) return known;
    return mayBeOne(from, prefix, to).pipe(mergeMap((yes) => (yes ? [byKeys] : [])));
  });
}

/** Whether both are one bucket of one server. */
export function isSameBucket(a: Located, b: Located): boolean {
  return a.store === b.store || (isSameServer(a, b) && a.bucket === b.bucket);
}

/** Whether the server itself can copy from one to the other. */
export function isSameServer(a: Located, b: Located): boolean {
  return a.store === b.store || (a.server !== undefined && a.server === b.server);
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
function mayBeOne(from: Located, prefix: string, to: Located): Observable<boolean> {
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
