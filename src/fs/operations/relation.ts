/** How the directory that is copied and its target lie to each other: so that nothing is copied onto itself, or into what is still to be read. */
import { defaultIfEmpty, of, take, type Observable } from 'rxjs';
import { isSameBucket, relationsOf, type Relation } from '../../store/relation.js';
import type { Place } from './place.js';

/** The relation of `target` to `prefix`; `undefined` if neither contains the other. Both are directories' keys. */
export function relationOf(
  from: Place,
  prefix: string,
  to: Place,
  target: string,
): Observable<Relation | undefined> {
  const [a, b] = [from.location, to.location];
  // Each object would be copied onto itself at worst, so a mirror of a bucket costs no request more.
  const harmless = prefix === target && !isSameBucket(a, b) && a.identities === undefined;
  if (harmless) return of(undefined);
  return relationsOf(a, prefix, b, target).pipe(take(1), defaultIfEmpty(undefined));
}

/** The key under which a listing of the source would find the object written at `rest` below the target. */
export function foundAgain(relation: Relation | undefined, prefix: string, rest: string): string | undefined {
  if (relation === undefined) return undefined;
  const { target, way } = relation;
  if (target !== 'around') return prefix + way + rest;
  return rest.startsWith(way) ? prefix + rest.slice(way.length) : undefined;
}
