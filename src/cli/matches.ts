import { take } from 'rxjs';
import type { Entry } from '../fs/operations/index.js';
import { noMatch, reached, type Located } from './locate.js';
import type { Session } from './session.js';
import { taken } from './wait.js';

/**
 * Works on all objects that match a pattern, a page of the listing at a time; the next page is asked for when the work is
 * done. URIs of entries have the user info that the pattern has. Errors: `NotFound`, if nothing matches.
 */
export async function eachMatch(
  { operations, stop }: Pick<Session, 'operations' | 'stop'>,
  place: Located,
  work: (page: readonly Entry[]) => Promise<void>,
): Promise<void> {
  let page: Entry[] = [];
  let found = 0;
  const workOff = async (): Promise<void> => {
    const listed = page;
    page = [];
    found += listed.length;
    if (listed.length > 0) await work(listed);
  };
  await taken(operations.walk(place.uri, { pace: workOff }), stop, (entry) =>
    page.push({ ...entry, uri: reached(entry.uri, place) }),
  );
  // Nothing is to be held back after the last page.
  await workOff();
  if (found === 0) throw noMatch(place);
}

/** Lists as far as the first match. Errors: `NotFound`, if nothing matches. */
export async function mustMatch(
  { operations, stop }: Pick<Session, 'operations' | 'stop'>,
  place: Located,
): Promise<void> {
  const found: Entry[] = [];
  await taken(operations.walk(place.uri).pipe(take(1)), stop, (entry) => found.push(entry));
  if (found.length === 0) throw noMatch(place);
}
