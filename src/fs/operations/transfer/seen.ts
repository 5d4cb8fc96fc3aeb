/**
 * What is at the target already, told by its listing: one page of it for each page of the source, since both are in the
 * same order. Where a page of the target ends before that of the source, the rest is asked for one by one; where the
 * target is small, its first page tells all.
 */
import { catchError, defer, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../../store/errors.js';
import { compareKeys } from '../../../store/helpers.js';
import type { ListPage, ObjectInfo } from '../../../store/objectStore.js';
import type { Place } from '../place.js';

/** All objects of a stretch of keys. */
export class Seen {
  readonly #objects: ReadonlyMap<string, ObjectInfo>;
  readonly #prefix: string;
  readonly #after: string | undefined;
  readonly #until: string | undefined;

  constructor(prefix: string, after: string | undefined, { objects, cursor }: ListPage) {
    this.#objects = new Map(objects.map((info) => [info.key, info]));
    this.#prefix = prefix;
    this.#after = after;
    this.#until = cursor === undefined ? undefined : (objects.at(-1)?.key ?? '');
  }

  /** Whether it would be here if it existed. */
  covers(key: string): boolean {
    if (!key.startsWith(this.#prefix)) return false;
    if (this.#after !== undefined && compareKeys(key, this.#after) <= 0) return false;
    return this.#until === undefined || compareKeys(key, this.#until) <= 0;
  }

  get(key: string): ObjectInfo | undefined {
    return this.#objects.get(key);
  }
}

/** Goes through a directory's listing along with keys that come in order. */
export class TargetListing {
  #seen: Seen | undefined;
  #first = true;

  constructor(
    private readonly to: Place,
    private readonly prefix: string,
  ) {}

  /** For a page of keys; `undefined` where nobody may list. */
  over(keys: readonly string[]): Observable<Seen | undefined> {
    return defer(() => {
      const [first] = keys;
      const last = keys.at(-1);
      if (first === undefined || last === undefined) return of(this.#seen);
      if (this.#seen?.covers(first) === true && this.#seen.covers(last)) return of(this.#seen);
      const after = this.#first ? undefined : before(first, this.prefix);
      this.#first = false;
      const { prefix } = this;
      const listing = { prefix, unlisted: 'report' } as const;
      return this.to.store.list(after === undefined ? listing : { ...listing, startAfter: after }).pipe(
        map((page) => (this.#seen = new Seen(prefix, after, page))),
        // Who may only write cannot list.
        catchError((error: unknown) =>
          isStoreError(error, 'PermissionDenied') ? of(undefined) : throwError(() => error),
        ),
      );
    });
  }
}

/** A text shortly before a key, from where a listing finds it. */
function before(key: string, prefix: string): string | undefined {
  const shorter = Array.from(key).slice(0, -1).join('');
  return shorter.length > prefix.length ? shorter : undefined;
}
