import { concat, concatMap, defer, EMPTY, from, of, throwError, type Observable } from 'rxjs';
import type { Glob } from '../../path/index.js';
import { compareKeys } from '../../store/helpers.js';
import type { ListPage } from '../../store/objectStore.js';
import type { Entry, ListOptions } from '../types.js';
import { listPages } from '../../store/pages.js';
import { mostFailures, PartlyFailed, type Failure } from './errors.js';
import { directoryEntry, entryOf, notFound, type Place } from './place.js';
import { resolve } from './resolve.js';
import { couldMatch, UnlistedPolicy } from './unlisted.js';

/** The objects and directories directly in a directory, in key order; an object is listed as itself. */
export function list(place: Place, options: ListOptions): Observable<Entry> {
  return below(place, options, { delimiter: '/' }, ({ objects, prefixes }, directory) =>
    [
      // Without the directory's own marker.
      ...objects.filter(({ key }) => key !== directory).map((info) => entryOf(place, info)),
      ...prefixes.map((key) => directoryEntry(place, key)),
    ].sort((a, b) => compareKeys(a.name, b.name)),
  );
}

/** Every object below a directory, or that matches a glob, in key order, by one listing. */
export function walk(place: Place, glob: Glob, options: ListOptions): Observable<Entry> {
  if (!glob.wild)
    return below(place, options, {}, ({ objects }) => objects.map((info) => entryOf(place, info)));
  return entries(
    place,
    options,
    { prefix: place.key },
    ({ objects }) => objects.filter(({ key }) => glob.matches(key)).map((info) => entryOf(place, info)),
    couldMatch(glob),
  );
}

/** The entries that `take` makes of a directory's pages; an object is listed as itself. Errors: `NotFound`. */
function below(
  place: Place,
  options: ListOptions,
  how: { readonly delimiter?: string },
  take: (page: ListPage, directory: string) => readonly Entry[],
): Observable<Entry> {
  return resolve(place).pipe(
    concatMap((named) => {
      if (named.kind === 'object') return of(entryOf(place, named.info));
      const { prefix } = named;
      // An empty bucket exists; an empty directory does not.
      let found = prefix === '';
      return entries(place, options, { ...how, prefix }, (page) => {
        found ||= page.objects.length > 0 || page.prefixes.length > 0 || page.unlisted !== undefined;
        if (!found && page.cursor === undefined) throw notFound(place);
        return take(page, prefix);
      });
    }),
  );
}

function entries(
  place: Place,
  options: ListOptions,
  how: { readonly prefix: string; readonly delimiter?: string },
  take: (page: ListPage) => readonly Entry[],
  concerns?: (key: string) => boolean,
): Observable<Entry> {
  return defer(() => {
    const { pace } = options;
    const unlisted = new UnlistedPolicy(options, 'follow');
    const failures: Failure[] = [];
    let taken: readonly Entry[] = [];
    const pages = listPages(
      place.store,
      { ...how, ...unlisted.listing },
      pace === undefined ? undefined : () => pace(taken),
    ).pipe(
      concatMap((page) => {
        taken = take(page);
        failures.push(...unlisted.failuresOf(place, page, concerns));
        return failures.length < mostFailures ? from(taken) : concat(from(taken), failed(failures, true));
      }),
    );
    return concat(
      pages,
      defer(() => (failures.length === 0 ? EMPTY : failed(failures, false))),
    );
  });
}

function failed(failures: readonly Failure[], more: boolean): Observable<never> {
  return throwError(() => new PartlyFailed('ListFailed', 'listed', failures, { more }));
}
