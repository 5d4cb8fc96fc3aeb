/**
 * Whether one directory contains another, by whatever names they are known. Callers use it to keep from writing into a
 * directory that is in use for something else.
 *
 * Within one bucket, keys decide. Local directories are compared by identity. Two S3 buckets may be one bucket under two
 * names (another host name, an access point), which no server reveals. If their keys nest, an object of one is looked up
 * in the other by its key; if it is there with the same size, ETag and time, they count as one.
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

/** `way` is the path from the outer directory to the inner one. It ends in a slash unless it is empty. */
export interface Relation {
  /** Whether the target is the source, inside it, or contains it. */
  readonly target: 'same' | 'inside' | 'around';
  readonly way: string;
}

/**
 * The relations of `target` to `prefix`: none if neither contains the other, several if links lead from one to the other by
 * a second path. Both end in a slash, or are a whole bucket.
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

/** Servers round times to seconds. Milliseconds. */
const sameTime = 2000;

/** Whether the first object of the source is also in the target's bucket. */
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
