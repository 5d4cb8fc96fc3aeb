/**
 * Finds existing objects of the target by listing it: one page for each page of the source, since both are in the same
 * order. If the target's page ends before the source's, the other objects take a HEAD each; if the target is small, its first
 * page has everything.
 */
import { catchError, defer, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../../store/errors.js';
import { compareKeys } from '../../../store/helpers.js';
import type { ListPage, ObjectInfo } from '../../../store/objectStore.js';
import type { Place } from '../place.js';

/** All objects of a range of keys. */
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

  /** Whether the key is in the range. */
  covers(key: string): boolean {
    if (!key.startsWith(this.#prefix)) return false;
    if (this.#after !== undefined && compareKeys(key, this.#after) <= 0) return false;
    return this.#until === undefined || compareKeys(key, this.#until) <= 0;
  }

  get(key: string): ObjectInfo | undefined {
    return this.#objects.get(key);
  }
}

/** Lists a directory in step with ascending keys. */
export class TargetListing {
  #seen: Seen | undefined;
  #first = true;

  constructor(
    private readonly to: Place,
    private readonly prefix: string,
  ) {}

  /** The existing objects for a page of keys; `undefined` if listing is not permitted. */
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
        // Permission to write does not include listing.
        catchError((error: unknown) =>
          isStoreError(error, 'PermissionDenied') ? of(undefined) : throwError(() => error),
        ),
      );
    });
  }
}

/** A string before a key, to start a listing that includes it. */
function before(key: string, prefix: string): string | undefined {
  const shorter = Array.from(key).slice(0, -1).join('');
  return shorter.length > prefix.length ? shorter : undefined;
}
