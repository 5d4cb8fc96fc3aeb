/**
 * The objects of one URI, in the order of their keys' UTF-8 bytes, as stores list them. In order:
 *
 * 1. for a URI without wildcards that does not end in a slash, the object of that name: HEAD; if it exists, there is no
 *    other;
 * 2. the listing, after the last key opened.
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
import type { OpenPosition } from './filesPosition.js';
import { badPosition } from './position.js';

export class ListedRoot {
  readonly #index: number;
  readonly #uri: string;
  readonly #options: DiscoveryOptions;
  readonly #store: ObjectStore;
  #date: number | undefined;
  readonly #keys: CoveredKeys;
  #phase: 'exact' | 'list' | 'over';
  readonly #after: string | undefined;
  #cursor: string | undefined;
  /** The key that was listed last, or after which the listing starts. */
  #last: string | undefined;
  #page: readonly ObjectInfo[] = [];
  #at = 0;
  #found: FileObject | undefined;
  #matched: boolean;

  /**
   * @param after the last key that was opened
   *
   * Errors: `ForeignName` (the key belongs to no object of this URI).
   */
  constructor(index: number, uri: string, after: string | undefined, options: DiscoveryOptions) {
    this.#index = index;
    this.#uri = uri;
    this.#options = options;
    this.#keys = new CoveredKeys(uri, options.hidden);
    // Opened by the original URI: that of an s3x server may hold its credentials, which are never stored.
    this.#store = options.stores.open(uri).store;
    this.#after = after;
    this.#last = after;
    this.#matched = after !== undefined;
    const { exact, prefix } = this.#keys;
    if (after !== undefined && after !== exact && !after.startsWith(prefix)) throw this.#foreign(after);
    if (after === undefined) this.#phase = exact === undefined ? 'list' : 'exact';
    else this.#phase = after === exact ? 'over' : 'list';
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
    return this.#object(info);
  }

  /** What `take` will return. */
  *ahead(): Iterable<Pick<FileObject, 'size' | 'modified'>> {
    if (this.#found !== undefined) yield this.#found;
    for (let at = this.#at; at < this.#page.length; at++) yield this.#page[at] as ObjectInfo;
  }

  /** A request that may find more objects; it emits once they are available. `undefined` when the root is over. */
  request(): Observable<void> | undefined {
    switch (this.#phase) {
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

  /** Whether an object of that key is read as one of this URI: if no earlier URI covers it. */
  owns(key: string): boolean {
    return this.covers(key) && !this.#options.owners.ownedBefore(this.#index, key);
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
    return this.#head(key).pipe(map((info) => this.#object(info)));
  }

  /** Errors: `ForeignName` (the restored position is in an object of another URI). */
  checkCovers(key: string): void {
    if (!this.covers(key)) throw this.#foreign(key);
  }

  /** The object that the restored position is in. Errors: `ObjectChanged`, `ObjectVanished`, `BadPosition`, and others of the store. */
  reopen(restored: OpenPosition): Observable<FileObject> {
    const uri = this.uriOf(restored.key);
    return this.#head(restored.key, { ifMatch: restored.etag }).pipe(
      map((info) => {
        if (info.etag !== restored.etag)
          throw new StoreError('PreconditionFailed', `${uri} has another ETag.`);
        if ((restored.split?.end ?? restored.compressed?.at ?? restored.offset) > info.size)
          throw badPosition(this.#options.id, `is beyond the end of ${uri}`);
        return this.#object(info, restored);
      }),
      catchError((error: unknown) => throwError(() => inputError(uri, error))),
    );
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
    if (this.#phase !== 'list') return `an answer about ${this.#keys.uriOf(this.#keys.exact ?? '')}`;
    const after = this.#last === undefined ? '' : ` after ${this.#last}`;
    return `the listing of ${this.#listed()}${after}`;
  }

  /** Errors: `NoInput`. */
  checkMatched(): void {
    if (!this.#matched && !this.#options.allowEmpty) throw new NoInput(hideUserInfo(this.#uri));
  }

  #findExact(key: string): Observable<void> {
    return this.#head(key).pipe(
      map((info) => {
        this.#matched = true;
        if (this.owns(key)) this.#found = this.#object(info);
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
        const covered = objects.filter(({ key }) => this.#keys.covers(key));
        this.#matched ||= covered.length > 0;
        this.#page = covered.filter(({ key }) => this.owns(key));
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
    if (!this.#keys.wouldCover(key) || this.#options.owners.ownedBefore(this.#index, key)) return;
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

  #foreign(key: string): ForeignName {
    return new ForeignName(
      `The checkpoint's position of source '${this.#options.id}'`,
      this.#keys.uriOf(key),
      `not an object of ${hideUserInfo(this.#uri)}`,
      'The likely cause is another URI, or another option such as hidden, in files(…): change it back, or give the source a new id or the job a new name to read the new input from its start.',
    );
  }

  #object({ key, size, etag, modified }: ObjectInfo, restored?: OpenPosition): FileObject {
    // At its start there is nothing to resume: its codec is detected anew.
    const resume = restored === undefined || restored.offset === 0 ? undefined : restored;
    return {
      uri: this.#keys.uriOf(key),
      store: this.#store,
      key,
      size,
      etag,
      modified,
      root: this.#index,
      from: resume === undefined ? 0 : (resume.compressed?.at ?? resume.offset),
      resume,
      restored,
    };
  }
}
