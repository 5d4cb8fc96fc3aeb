/**
 * The objects of one URI, in the order of their keys' UTF-8 bytes, as stores list them. In order:
 *
 * 1. the object to resume in: HEAD, which must still give its ETag;
 * 2. for a URI without wildcards that does not end in a slash, the object of that name: HEAD; if it exists, there is no
 *    other;
 * 3. the listing, after the last key read.
 */
import { catchError, defer, map, of, throwError, type Observable } from 'rxjs';
import { ForeignName } from '../flow/index.js';
import { hideUserInfo } from '../path/index.js';
import { isStoreError, StoreError } from '../store/errors.js';
import { compareKeys } from '../store/helpers.js';
import { linksFollowed } from '../store/links.js';
import type { ObjectInfo, ObjectStore, Unlisted } from '../store/objectStore.js';
import { CoveredKeys } from './coveredKeys.js';
import type { DiscoveryOptions, FileObject } from './discovery.js';
import { inputError, MissingBucket, NoInput, UnorderedListing, UnreadableInput } from './errors.js';
import type { InputSkippedEvent } from './events.js';
import type { ObjectPosition } from './filesPosition.js';
import { badPosition } from './position.js';

/** Where to start in a root: after the last key that is read to its end, or in the object that is being read. */
export interface RootStart {
  readonly after?: string | undefined;
  readonly object?: ObjectPosition | undefined;
}

export class ListedRoot {
  readonly #index: number;
  readonly #uri: string;
  readonly #options: DiscoveryOptions;
  readonly #store: ObjectStore;
  #date: number | undefined;
  readonly #keys: CoveredKeys;
  #phase: 'resume' | 'exact' | 'list' | 'over';
  readonly #resume: ObjectPosition | undefined;
  readonly #after: string | undefined;
  #cursor: string | undefined;
  /** The key that was listed last, or after which the listing starts. */
  #last: string | undefined;
  #page: readonly ObjectInfo[] = [];
  #at = 0;
  #found: FileObject | undefined;
  #matched: boolean;

  constructor(index: number, uri: string, start: RootStart, options: DiscoveryOptions) {
    this.#index = index;
    this.#uri = uri;
    this.#options = options;
    this.#keys = new CoveredKeys(uri, options.hidden);
    // Opened by the original URI: that of an s3x server may hold its credentials, which are never stored.
    this.#store = options.stores.open(uri).store;
    this.#resume = start.object;
    this.#after = start.object?.key ?? start.after;
    this.#last = this.#after;
    this.#matched = this.#after !== undefined;
    this.#checkStart(start);
    const { exact } = this.#keys;
    if (this.#resume !== undefined) this.#phase = 'resume';
    else if (this.#after === undefined) this.#phase = exact === undefined ? 'list' : 'exact';
    else this.#phase = this.#after === exact ? 'over' : 'list';
  }

  /** Checks that the key in the checkpoint belongs to this source. Errors: `ForeignName`, `BadPosition`. */
  #checkStart({ after, object }: RootStart): void {
    const named = object?.key ?? after;
    if (named === undefined) return;
    const { exact, prefix } = this.#keys;
    const ours =
      named === exact || (named.startsWith(prefix) && (object === undefined || this.#keys.covers(named)));
    if (!ours)
      throw new ForeignName(
        `The checkpoint's position of source '${this.#options.id}'`,
        this.#keys.uriOf(named),
        `not an object of ${hideUserInfo(this.#uri)}`,
        'If the options of files(…) were changed, such as hidden, change them back, or give the source a new id.',
      );
    if (object !== undefined && after !== object.key)
      throw badPosition(this.#options.id, `is in ${object.key}, but continues after ${after ?? 'nothing'}`);
  }

  /** The next object, if it is known already. */
  take(): FileObject | undefined {
    const found = this.#found;
    if (found !== undefined) {
      this.#found = undefined;
      return found;
    }
    const info = this.#page[this.#at];
    if (info === undefined) return undefined;
    this.#at++;
    return this.#object(info, undefined);
  }

  /** What `take` will return. */
  *ahead(): Iterable<Pick<FileObject, 'size' | 'modified'>> {
    if (this.#found !== undefined) yield this.#found;
    for (let at = this.#at; at < this.#page.length; at++) yield this.#page[at] as ObjectInfo;
  }

  /** A request that may find more objects; it emits once they are available. `undefined` when the root is over. */
  request(): Observable<void> | undefined {
    switch (this.#phase) {
      case 'resume':
        return this.#resume === undefined ? undefined : this.#reopen(this.#resume);
      case 'exact':
        return this.#keys.exact === undefined ? undefined : this.#findExact(this.#keys.exact);
      case 'list':
        return this.#listPage();
      case 'over':
        return undefined;
    }
  }

  /** The server's time when it answered the first page, if known. */
  get date(): number | undefined {
    return this.#date;
  }

  /** Whether an object of that URI is covered. */
  covers(key: string): boolean {
    return key === this.#keys.exact || (key.startsWith(this.#keys.prefix) && this.#keys.covers(key));
  }

  uriOf(key: string): string {
    return this.#keys.uriOf(key);
  }

  /** The object of that key, as it is now. Errors: `NotFound`, and others of the store. */
  find(key: string): Observable<FileObject> {
    return this.#head(key).pipe(map((info) => this.#object(info, undefined)));
  }

  /** Whether there is nothing more to request. */
  get over(): boolean {
    return this.#phase === 'over';
  }

  /** Whether the next request is for a page of a listing. */
  lists(): boolean {
    return this.#phase === 'list';
  }

  /** A description of `request`, different for each. */
  get asksFor(): string {
    if (this.#phase !== 'list')
      return `an answer about ${this.#keys.uriOf(this.#resume?.key ?? this.#keys.exact ?? '')}`;
    const after = this.#last === undefined ? '' : ` after ${this.#last}`;
    return `the listing of ${this.#listed()}${after}`;
  }

  /** Errors: `NoInput`. */
  checkMatched(): void {
    if (!this.#matched && !this.#options.allowEmpty) throw new NoInput(hideUserInfo(this.#uri));
  }

  #reopen(resume: ObjectPosition): Observable<void> {
    const uri = this.#keys.uriOf(resume.key);
    return this.#head(resume.key, { ifMatch: resume.etag }).pipe(
      map((info) => {
        if (info.etag !== resume.etag) throw new StoreError('PreconditionFailed', `${uri} has another ETag.`);
        if ((resume.compressed?.at ?? resume.offset) > info.size)
          throw badPosition(this.#options.id, `is beyond the end of ${uri}`);
        this.#found = this.#object(info, resume);
        this.#phase = resume.key === this.#keys.exact ? 'over' : 'list';
      }),
      catchError((error: unknown) => throwError(() => inputError(uri, error))),
    );
  }

  #findExact(key: string): Observable<void> {
    return this.#head(key).pipe(
      map((info) => {
        this.#found = this.#object(info, undefined);
        this.#phase = 'over';
      }),
      catchError((error: unknown) => {
        if (!isStoreError(error, 'NotFound')) throw error;
        this.#phase = 'list';
        return of(undefined);
      }),
    );
  }

  #listPage(): Observable<void> {
    const page = this.#store.list({
      prefix: this.#keys.prefix,
      unlisted: 'report',
      links: linksFollowed[this.#options.links],
      ...(this.#cursor !== undefined
        ? { cursor: this.#cursor }
        : this.#after !== undefined
          ? { startAfter: this.#after }
          : {}),
    });
    return this.#counted('list', page).pipe(
      map(({ objects, cursor: next, unlisted = [], date }) => {
        if (this.#cursor === undefined) this.#date = date;
        for (const one of unlisted) this.#except(one);
        this.#checkOrder(objects);
        if (next !== undefined && next === this.#cursor)
          throw new UnorderedListing(this.#listed(), 'it has no end');
        this.#page = objects.filter(({ key }) => this.#keys.covers(key));
        this.#at = 0;
        this.#cursor = next;
        if (next === undefined) this.#phase = 'over';
      }),
      catchError((error: unknown) => {
        throw isStoreError(error, 'NotFound') ? new MissingBucket(this.#store.uri, error) : error;
      }),
    );
  }

  #head(key: string, options?: { readonly ifMatch: string }): Observable<ObjectInfo> {
    return this.#counted('head', this.#store.head(key, options));
  }

  #counted<R>(method: 'list' | 'head', request: Observable<R>): Observable<R> {
    return defer(() => {
      this.#options.requested(method);
      return request;
    });
  }

  /** Positions depend on the order, as one key covers all objects that have been read. Not every store keeps it. */
  #checkOrder(objects: readonly ObjectInfo[]): void {
    for (const { key } of objects) {
      const last = this.#last;
      if (!key.startsWith(this.#keys.prefix)) throw new UnorderedListing(this.#listed(), `it holds ${key}`);
      if (last !== undefined && compareKeys(key, last) <= 0)
        throw new UnorderedListing(this.#listed(), `${key} comes after ${last}`);
      this.#last = key;
    }
  }

  #listed(): string {
    return this.#keys.uriOf(this.#keys.prefix);
  }

  /** Errors: `UnreadableInput`. */
  #except({ key, reason, error }: Unlisted): void {
    if (!this.#keys.wouldCover(key)) return;
    const { id, links, unreadable, report } = this.#options;
    const uri = this.#keys.uriOf(key);
    if ((reason === 'link' ? links : unreadable) !== 'skip') throw new UnreadableInput(uri, error);
    report({
      type: 'input-skipped',
      operator: id,
      object: uri,
      reason: error.message,
    } satisfies InputSkippedEvent);
  }

  #object({ key, size, etag, modified }: ObjectInfo, resume: ObjectPosition | undefined): FileObject {
    this.#matched = true;
    // At its start there is nothing to resume: its codec is detected anew.
    const begun = resume === undefined || resume.offset === 0 ? undefined : resume;
    return {
      uri: this.#keys.uriOf(key),
      store: this.#store,
      key,
      size,
      etag,
      modified,
      root: this.#index,
      from: begun === undefined ? 0 : (begun.compressed?.at ?? begun.offset),
      resume: begun,
    };
  }
}
