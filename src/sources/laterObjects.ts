import { catchError, concatMap, EMPTY, ignoreElements, map, of, take, tap, type Observable } from 'rxjs';
import type { DiscoveryOptions } from './discovery.js';
import type { NotReadEvent } from './events.js';
import { ListedRoot } from './listedRoot.js';

/** Objects that a source which has read everything does not read. */
interface LaterObjects {
  readonly count: number;
  /** There may be more. */
  readonly more: boolean;
  /** The URI of the first. */
  readonly first: string | undefined;
}

/**
 * Reports the objects that were added after the end of a source's input: those of its last URI under keys after `last`, or
 * all of them if none was read (''). It lists one page at most, so its cost does not depend on what was added. Completes; a
 * failure is only reported, since no input depends on it.
 *
 * What was added under earlier keys, or matches another URI of several, is not seen.
 */
export function reportLater(options: DiscoveryOptions, last: string): Observable<never> {
  const { id: operator, report } = options;
  return laterObjects(options, last).pipe(
    tap((later) => {
      if (later.first !== undefined) report(notRead(operator, later, later.first));
    }),
    catchError((error: unknown) => {
      const message = `Source '${operator}' has read everything, but could not check whether input was added since.`;
      report({ type: 'warning', operator, message, error });
      return EMPTY;
    }),
    ignoreElements(),
  );
}

const none: LaterObjects = { count: 0, more: false, first: undefined };

function laterObjects(options: DiscoveryOptions, last: string): Observable<LaterObjects> {
  const index = options.uris.length - 1;
  const uri = options.uris[index];
  if (uri === undefined) return of(none);
  const root = new ListedRoot(index, uri, last === '' ? undefined : last, options);
  const look = (): Observable<LaterObjects> => {
    const listing = root.lists();
    const request = root.request();
    if (request === undefined) return of(none);
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
      take(1),
      // There is no object of the URI's own name: list the objects below it.
      concatMap((found) => (listing || found.count > 0 || !root.lists() ? of(found) : look())),
    );
  };
  return look();
}

function notRead(operator: string, { count, more }: LaterObjects, object: string): NotReadEvent {
  const objects = `${more ? 'At least ' : ''}${count} ${count === 1 ? 'object' : 'objects'}`;
  const message = `${objects} ${count === 1 && !more ? 'was' : 'were'} added after source '${operator}' had read everything, and ${count === 1 && !more ? 'is' : 'are'} not read; the first is ${object}. A finished job stays finished: read them with a job of their own, or everything again with this job under another name.`;
  return { type: 'input-not-read', operator, objects: count, more, object, message };
}
