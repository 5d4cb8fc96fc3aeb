import { EMPTY, expand, map, reduce, type Observable } from 'rxjs';
import type { ListPage, ObjectStore } from '../store/objectStore.js';

/**
 * Data objects of attempts before `epoch`, as keys below `prefix`. Those attempts are fenced by the verified claim of this
 * epoch: nothing of theirs that the newest entry does not refer to will ever be referred to.
 */
export function orphans(store: ObjectStore, prefix: string, epoch: number): Observable<string[]> {
  const page = (cursor?: string): Observable<ListPage> =>
    store.list({ prefix: `${prefix}data/`, ...(cursor === undefined ? {} : { cursor }) });
  const dead = (keys: readonly string[]): string[] => keys.filter((key) => epochOf(key) < epoch);
  return page().pipe(
    // Epochs are in order: behind the first that lives there is nothing to find.
    expand(({ cursor, objects }) =>
      cursor === undefined || objects.some(({ key }) => epochOf(key.slice(prefix.length)) >= epoch)
        ? EMPTY
        : page(cursor),
    ),
    map(({ objects }) => dead(objects.map(({ key }) => key.slice(prefix.length)))),
    reduce((all: string[], keys) => all.concat(keys), []),
  );
}

/** The epoch that a data object's name begins with; infinite for what we did not name. */
function epochOf(key: string): number {
  const match = /^data\/(\d{10})\//.exec(key);
  return match === null ? Infinity : Number(match[1]);
}
