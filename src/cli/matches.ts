import { take } from 'rxjs';
import { PartlyFailed } from '../fs/operations/errors.js';
import type { Entry, ListOptions } from '../fs/operations/index.js';
import { noMatch, reached, type Located } from './locate.js';
import type { Session } from './session.js';
import { taken } from './wait.js';

/**
 * Runs `work` on all objects that match a pattern, page by page of the listing; the next page is requested when it is done. The
 * entries' URIs have the user info of the pattern. Errors: `NotFound` if nothing matches; `ListFailed` after all others.
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
  // The entries since the last full page.
  try {
    await workOff();
  } catch (error) {
    if (failed !== undefined) report(failed);
    throw error;
  }
  if (failed !== undefined) throw failed;
  if (found === 0) throw noMatch(place);
}

/** Lists up to the first match. Errors: `NotFound` if nothing matches. */
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
