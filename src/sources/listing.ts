/**
 * Which objects a `files` source reads, one at a time and in order: the given URIs one after the other, the keys of each
 * in the order of their UTF-8 bytes, as stores list them.
 *
 * A page of a listing is requested when the page before it is used up, never earlier, and nothing else is remembered:
 * ten million objects take no more memory than ten. The price: an object that appears later, under a key before the one
 * being read, is not seen. The input of this source is what lies ahead of it, and bounded.
 *
 * A root, in order: the object to resume in (HEAD, which must still give its ETag); for a URI without wildcards that
 * does not end in a slash, the object of that name (HEAD), which then is all; else the listing, after the last key read.
 */
import { catchError, map, of, Subscription, throwError, type Observable } from 'rxjs';
import { ForeignName } from '../flow/index.js';
import { compileUriGlob, formatUri, hideUserInfo, splitUri } from '../path/index.js';
import { isStoreError, StoreError } from '../store/errors.js';
import { compareKeys } from '../store/helpers.js';
import { linksFollowed, type Links } from '../store/links.js';
import type { ObjectInfo, ObjectStore, Unlisted } from '../store/objectStore.js';
import type { Stores } from '../store/services.js';
import {
  MissingBucket,
  NoInput,
  ObjectChanged,
  ObjectVanished,
  UnorderedListing,
  UnreadableInput,
} from './errors.js';
import { badPosition, type FilesPosition, type ObjectPosition } from './filesPosition.js';
import type { PlannedObject } from './fragments.js';

/** An object to be read, and where in it to begin. */
export interface FileObject extends PlannedObject {
  readonly root: number;
  readonly uri: string;
  readonly store: ObjectStore;
  /** Where it was left by the run that is resumed. */
  readonly resume: ObjectPosition | undefined;
}

export interface ListingOptions {
  /** Of the source. */
  readonly id: string;
  readonly uris: readonly string[];
  readonly stores: Stores;
  readonly from: FilesPosition;
  readonly hidden: boolean;
  readonly unreadable: 'fail' | 'skip';
  readonly links: Links;
  readonly allowEmpty: boolean;
  /** Hears of what is left out as it was asked for. */
  readonly skipped: (uri: string, error: Error) => void;
  readonly fail: (error: unknown) => void;
}

export class Listing {
  readonly #options: ListingOptions;
  readonly #requests = new Subscription();
  #root: Root | undefined;
  #next: number;
  #answer: ((object: FileObject | undefined) => void) | undefined;
  #asked = false;
  #advancing = false;

  constructor(options: ListingOptions) {
    this.#options = options;
    this.#next = options.from.root;
  }

  /** Asks for the next object; `undefined` when there is none. One question at a time. */
  next(answer: (object: FileObject | undefined) => void): void {
    this.#answer = answer;
    this.#advance();
  }

  /** What was asked for and has not come. */
  get waitsFor(): string | undefined {
    return this.#asked ? this.#root?.asksFor : undefined;
  }

  /** Aborts the request under way. Nothing is answered any more. */
  close(): void {
    this.#answer = undefined;
    this.#requests.unsubscribe();
  }

  /** Goes on until the question is answered or a request is under way. Stores may answer at once: a loop, not a recursion. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#answer !== undefined && !this.#asked) {
        this.#root ??= this.#openRoot();
        if (this.#root === undefined) this.#give(undefined);
        else {
          const object = this.#root.take();
          if (object !== undefined) this.#give(object);
          else this.#ask(this.#root);
        }
      }
    } catch (error) {
      this.#answer = undefined;
      this.#options.fail(error);
    } finally {
      this.#advancing = false;
    }
  }

  #give(object: FileObject | undefined): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(object);
  }

  #openRoot(): Root | undefined {
    const { uris, from } = this.#options;
    const index = this.#next++;
    const uri = uris[index];
    return uri === undefined
      ? undefined
      : new Root(index, uri, index === from.root ? from : undefined, this.#options);
  }

  #ask(root: Root): void {
    const request = root.request();
    if (request === undefined) {
      root.checkMatched();
      this.#root = undefined;
      return;
    }
    this.#asked = true;
    this.#requests.add(
      request.subscribe({
        next: () => {
          this.#asked = false;
          this.#advance();
        },
        error: (error: unknown) => {
          this.#answer = undefined;
          this.#options.fail(error);
        },
      }),
    );
  }
}

/** The objects of one URI. */
export class Root {
  readonly #index: number;
  readonly #uri: string;
  readonly #options: ListingOptions;
  readonly #store: ObjectStore;
  readonly #objectUri: (key: string) => string;
  readonly #matches: (key: string) => boolean;
  /** Whether there may be matches below a directory. */
  readonly #reaches: (directory: string) => boolean;
  /** The key of the object that the URI may name. */
  readonly #exact: string | undefined;
  readonly #prefix: string;
  /** Names after this many characters of a key may be hidden; what the URI says literally is not. */
  readonly #base: number;
  #phase: 'resume' | 'exact' | 'list' | 'over';
  #resume: ObjectPosition | undefined;
  #after: string | undefined;
  #cursor: string | undefined;
  /** The key that was listed last, or is to be passed. */
  #last: string | undefined;
  #page: readonly ObjectInfo[] = [];
  #at = 0;
  #found: FileObject | undefined;
  #matched: boolean;

  constructor(index: number, uri: string, from: FilesPosition | undefined, options: ListingOptions) {
    this.#index = index;
    this.#uri = uri;
    this.#options = options;
    const parts = splitUri(uri);
    const glob = compileUriGlob(parts.key);
    // By the URI as it was given: that of an s3x server may hold its credentials, which are never written again.
    this.#store = options.stores.open(uri).store;
    this.#objectUri = (key) => formatUri({ ...parts, key });
    const folder = glob.prefix === '' || glob.prefix.endsWith('/');
    this.#exact = glob.wild || folder ? undefined : glob.prefix;
    this.#prefix = this.#exact === undefined ? glob.prefix : `${glob.prefix}/`;
    this.#base = this.#prefix.lastIndexOf('/') + 1;
    this.#matches = glob.wild ? (key) => glob.matches(key) : () => true;
    this.#reaches = glob.wild ? (directory) => glob.reaches(directory) : () => true;
    this.#resume = from?.object;
    this.#after = from?.object?.key ?? from?.after;
    this.#last = this.#after;
    this.#matched = this.#after !== undefined;
    this.#checkPosition(from);
    if (this.#resume !== undefined) this.#phase = 'resume';
    else if (this.#after === undefined) this.#phase = this.#exact === undefined ? 'list' : 'exact';
    else this.#phase = this.#after === this.#exact ? 'over' : 'list';
  }

  /** What a checkpoint names is read only if it is this source's own. Errors: `ForeignName`. */
  #checkPosition(from: FilesPosition | undefined): void {
    const { after, object } = from ?? {};
    const named = object?.key ?? after;
    if (named === undefined || named === this.#exact) return;
    const ours = named.startsWith(this.#prefix) && (object === undefined || this.#wanted(named));
    if (ours) return;
    throw new ForeignName(
      `The checkpoint's position of source '${this.#options.id}'`,
      this.#objectUri(named),
      `not an object of ${hideUserInfo(this.#uri)}`,
      'If the options of files(…) were changed, such as hidden, change them back, or give the source a new id.',
    );
  }

  /** The next object that is known already. */
  take(): FileObject | undefined {
    const found = this.#found;
    if (found !== undefined) {
      this.#found = undefined;
      return found;
    }
    for (let info = this.#page[this.#at]; info !== undefined; info = this.#page[this.#at]) {
      this.#at++;
      if (this.#wanted(info.key)) return this.#object(info, undefined);
    }
    return undefined;
  }

  /** The request that may bring more; it emits once it has been taken in. `undefined` when the root is over. */
  request(): Observable<void> | undefined {
    switch (this.#phase) {
      case 'resume':
        return this.#resume === undefined ? undefined : this.#reopen(this.#resume);
      case 'exact':
        return this.#exact === undefined ? undefined : this.#findExact(this.#exact);
      case 'list':
        return this.#listPage();
      case 'over':
        return undefined;
    }
  }

  /** Whether the next request is for a page of a listing. */
  lists(): boolean {
    return this.#phase === 'list';
  }

  /** What `request` brings; different for each. */
  get asksFor(): string {
    if (this.#phase !== 'list')
      return `an answer about ${this.#objectUri(this.#resume?.key ?? this.#exact ?? '')}`;
    const after = this.#last === undefined ? '' : ` after ${this.#last}`;
    return `the listing of ${this.#listed()}${after}`;
  }

  /** Errors: `NoInput`. */
  checkMatched(): void {
    if (!this.#matched && !this.#options.allowEmpty) throw new NoInput(hideUserInfo(this.#uri));
  }

  #reopen(resume: ObjectPosition): Observable<void> {
    return this.#store.head(resume.key, { ifMatch: resume.etag }).pipe(
      map((info) => {
        if (info.etag !== resume.etag)
          throw new StoreError('PreconditionFailed', `${this.#objectUri(resume.key)} has another ETag.`);
        if ((resume.member?.at ?? resume.offset) > info.size)
          throw badPosition(this.#options.id, `is beyond the end of ${this.#objectUri(resume.key)}`);
        this.#found = this.#object(info, resume);
        this.#phase = resume.key === this.#exact ? 'over' : 'list';
      }),
      catchError((error: unknown) => throwError(() => inputError(this.#objectUri(resume.key), error))),
    );
  }

  #findExact(key: string): Observable<void> {
    return this.#store.head(key).pipe(
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
      prefix: this.#prefix,
      unlisted: 'report',
      links: linksFollowed[this.#options.links],
      ...(this.#cursor !== undefined
        ? { cursor: this.#cursor }
        : this.#after !== undefined
          ? { startAfter: this.#after }
          : {}),
    });
    return page.pipe(
      map(({ objects, cursor: next, unlisted = [] }) => {
        for (const one of unlisted) this.#except(one);
        this.#checkOrder(objects);
        if (next !== undefined && next === this.#cursor)
          throw new UnorderedListing(this.#listed(), 'it has no end');
        this.#page = objects;
        this.#at = 0;
        this.#cursor = next;
        if (next === undefined) this.#phase = 'over';
      }),
      catchError((error: unknown) => {
        throw isStoreError(error, 'NotFound') ? new MissingBucket(this.#store.uri, error) : error;
      }),
    );
  }

  /** Not every store promises what a position depends on: one key says which objects have been read. */
  #checkOrder(objects: readonly ObjectInfo[]): void {
    for (const { key } of objects) {
      const last = this.#last;
      if (!key.startsWith(this.#prefix)) throw new UnorderedListing(this.#listed(), `it holds ${key}`);
      if (last !== undefined && compareKeys(key, last) <= 0)
        throw new UnorderedListing(this.#listed(), `${key} comes after ${last}`);
      this.#last = key;
    }
  }

  #listed(): string {
    return this.#objectUri(this.#prefix);
  }

  /** Errors: `UnreadableInput`. */
  #except({ key, reason, error }: Unlisted): void {
    if (this.#hides(key) || !(key.endsWith('/') ? this.#reaches(key) : this.#matches(key))) return;
    const { links, unreadable, skipped } = this.#options;
    const uri = this.#objectUri(key);
    if ((reason === 'link' ? links : unreadable) !== 'skip') throw new UnreadableInput(uri, error);
    skipped(uri, error);
  }

  /** A key that ends in a slash is the marker of a directory. */
  #wanted(key: string): boolean {
    return !key.endsWith('/') && this.#matches(key) && !this.#hides(key);
  }

  #hides(key: string): boolean {
    return !this.#options.hidden && /(?:^|\/)[._]/.test(key.slice(this.#base));
  }

  #object({ key, size, etag }: ObjectInfo, resume: ObjectPosition | undefined): FileObject {
    this.#matched = true;
    // At its start there is nothing to resume: what it is, is to be found out.
    const begun = resume === undefined || resume.offset === 0 ? undefined : resume;
    return {
      root: this.#index,
      uri: this.#objectUri(key),
      store: this.#store,
      key,
      size,
      etag,
      from: begun === undefined ? 0 : (begun.member?.at ?? begun.offset),
      resume: begun,
    };
  }
}

/** What a store's refusal means for an object that is pinned by its ETag. */
export function inputError(uri: string, error: unknown): unknown {
  if (isStoreError(error, 'PreconditionFailed')) return new ObjectChanged(uri, error);
  if (isStoreError(error, 'NotFound')) return new ObjectVanished(uri, error);
  return error;
}
