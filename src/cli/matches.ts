import { take } from 'rxjs';
import { PartlyFailed } from '../fs/operations/errors.js';
import type { Entry, ListOptions } from '../fs/operations/index.js';
import { noMatch, reached, type Located } from './locate.js';
import type { Session } from './session.js';
import { taken } from './wait.js';

/**
 * Works on all objects that match a pattern, a page of the listing at a time; the next page is asked for when the work is
 * done. URIs of entries have the user info that the pattern has. Errors: `NotFound`, if nothing matches; `ListFailed`, when
 * all else is done.
 */
export async function eachMatch(
  { operations, report, stop }: Pick<Session, 'operations' | 'report' | 'stop'>,
  place: Located,
  work: (page: readonly Entry[]) => Promise<void>,
  options: Omit<ListOptions, 'pace'> = {},
): Promise<void> {
  let page: Entry[] = [];
  let found = 0;
  const workOff = async (): Promise<void> => {
    const listed = page;
    page = [];
    found += listed.length;
    if (listed.length > 0) await work(listed);
  };
  let failed: PartlyFailed | undefined;
  try {
    await taken(operations.walk(place.uri, { ...options, pace: workOff }), stop, (entry) =>
      page.push({ ...entry, uri: reached(entry.uri, place) }),
    );
  } catch (error) {
    if (!(error instanceof PartlyFailed) || error.code !== 'ListFailed') throw error;
    failed = error;
  }
  // Nothing is to be held back after the last page.
  try {
    await workOff();
  } catch (error) {
    if (failed !== undefined) report(failed);
    throw error;
  }
  if (failed !== undefined) throw failed;
  if (found === 0) throw noMatch(place);
}

/** Lists as far as the first match. Errors: `NotFound`, if nothing matches. */
export async function mustMatch(
  { operations, stop }: Pick<Session, 'operations' | 'stop'>,
  place: Located,
  { links, unreadable }: Omit<ListOptions, 'pace'> = {},
): Promise<void> {
  const found: Entry[] = [];
  const options = {
    ...(links === undefined ? {} : { links }),
    ...(unreadable === undefined ? {} : { unreadable }),
  };
  await taken(operations.walk(place.uri, options).pipe(take(1)), stop, (entry) => found.push(entry));
  if (found.length === 0) throw noMatch(place);
}
