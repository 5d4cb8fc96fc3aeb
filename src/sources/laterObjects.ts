import { concatMap, map, of, type Observable } from 'rxjs';
import { Root, type ListingOptions } from './listing.js';

/** Objects that a source which has read everything does not read. */
export interface LaterObjects {
  readonly count: number;
  /** There may be more. */
  readonly more: boolean;
  /** The URI of the first. */
  readonly first: string | undefined;
}

/**
 * What has come behind the end of a source's input: objects of its last URI under keys after `last`, or all of them where
 * none was read (''). One page of a listing at most, so that a look costs the same whatever came.
 *
 * What came under earlier keys, or matches another URI of several, is not seen.
 */
export function laterObjects(options: Omit<ListingOptions, 'from'>, last: string): Observable<LaterObjects> {
  const index = options.uris.length - 1;
  const uri = options.uris[index];
  if (uri === undefined) return of({ count: 0, more: false, first: undefined });
  const from = { root: index, skipped: 0, ...(last === '' ? {} : { after: last }) };
  const root = new Root(index, uri, from, { ...options, from });
  const look = (): Observable<LaterObjects> => {
    const listing = root.lists();
    const request = root.request();
    if (request === undefined) return of({ count: 0, more: false, first: undefined });
    return request.pipe(
      map(() => {
        let count = 0;
        let first: string | undefined;
        for (let object = root.take(); object !== undefined; object = root.take()) {
          count++;
          first ??= object.uri;
        }
        return { count, more: listing && root.lists(), first };
      }),
      // There is no object of the URI's own name: what lies below it is listed.
      concatMap((found) => (listing || found.count > 0 || !root.lists() ? of(found) : look())),
    );
  };
  return look();
}
