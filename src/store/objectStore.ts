import type { Observable } from 'rxjs';
import type { StoreError } from './errors.js';

/**
 * Just what the protocols need of an object store. Each method is one request: it happens on subscribe,
 * emits its one answer and completes, or errors with a `StoreError`; unsubscribing aborts it. Nothing is retried
 * here; retry, limits, faults and metrics are decorators.
 *
 * Keys are opaque Unicode strings of at most 1,024 UTF-8 bytes: `a//b`, `../x` and `/lead` are keys like any other,
 * and `a` and `a/b` coexist. Listings are in the order of the keys' UTF-8 bytes.
 */
export interface ObjectStore {
  /** Where this is, for messages: `s3://bucket`, `file:///dir`, `memory://name`. Never holds a secret. */
  readonly uri: string;

  /** Errors: `NotFound`, `PreconditionFailed` (`ifMatch`). */
  head(key: string, options?: { readonly ifMatch?: string }): Observable<ObjectInfo>;

  /**
   * Reads an object or a range of it; the answer is in memory as a whole, so callers fragment. The end of the range is cut to
   * the object's size; a range that starts at or behind the end gives no bytes.
   * Errors: `NotFound`, `PreconditionFailed` (`ifMatch`), `Integrity` (fewer bytes than promised).
   */
  get(key: string, options?: GetOptions): Observable<ObjectBody>;

  /** Creates or replaces. Errors: `AlreadyExists` (`ifNoneMatch`), `PreconditionFailed` (`ifMatch`), `Conflict`. */
  put(key: string, body: Uint8Array, options?: PutOptions): Observable<PutResult>;

  /** One page of a listing. Errors: `NotFound` (no such bucket); on a local directory also as `unlisted` says. */
  list(options: ListOptions): Observable<ListPage>;

  /** Deletes any number of keys (in as many requests as it takes); missing ones are not an error. Emits those that could not be deleted. */
  delete(keys: readonly string[]): Observable<readonly DeleteFailure[]>;

  /**
   * Server-side copy, metadata, content headers and tags included, of at most 5 GiB (above that: `copyPart`).
   * Errors: `NotFound`, `PreconditionFailed` (`ifMatch` on the source), `NotSupported` (`bucket`).
   */
  copy(from: string, to: string, options?: CopyOptions): Observable<PutResult>;

  /** Starts a multipart upload. Nothing is visible under `key` before it is completed. */
  createUpload(key: string, options?: UploadOptions): Observable<CreatedUpload>;

  /** Uploads part `number` (1 to 10,000), replacing an earlier one of that number. Errors: `NotFound` (no such upload). */
  uploadPart(key: string, uploadId: string, number: number, body: Uint8Array): Observable<UploadedPart>;

  /** Fills a part from a range of another object. Errors: as `copy`. */
  copyPart(
    key: string,
    uploadId: string,
    number: number,
    from: CopyOptions & { readonly key: string; readonly range?: ByteRange },
  ): Observable<UploadedPart>;

  /** One page of the parts uploaded so far, by number. Errors: `NotFound` (no such upload). */
  listParts(
    key: string,
    uploadId: string,
    after?: number,
  ): Observable<{ readonly parts: readonly UploadedPart[]; readonly next?: number }>;

  /** One page of the unfinished uploads whose keys start with `prefix`, by key. */
  listUploads(options: { readonly prefix: string; readonly after?: UploadCursor }): Observable<UploadPage>;

  /**
   * Publishes exactly the named parts, in order, as one object; other uploaded parts are dropped (some servers refuse
   * instead: `InvalidPart`). Errors: `NotFound` (no such upload: completed, aborted or never made), `InvalidPart`
   * (etag mismatch or unknown part), `TooSmall` (a part but the last is under the minimum), `AlreadyExists` (`ifNoneMatch`),
   * `PreconditionFailed` (`ifMatch`).
   */
  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options?: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string },
  ): Observable<PutResult>;

  /** Drops an upload and its parts. An unknown upload is not an error. */
  abortUpload(key: string, uploadId: string): Observable<void>;
}

/** User metadata: ASCII lower-case names; values are any text without control characters. */
export type Metadata = Readonly<Record<string, string>>;

/** Tags of an object: at most 10, of letters, digits, spaces and `+ - = . _ : / @`; names of at most 128 characters, values of 256. */
export type Tags = Readonly<Record<string, string>>;

/** What a store keeps with an object, besides its bytes. */
export interface ObjectDescription {
  readonly metadata?: Metadata;
  readonly content?: ContentHeaders;
  readonly tags?: Tags;
  /** A class of the server's, such as `STANDARD_IA`. Default: that of the connection or the bucket. */
  readonly storageClass?: string;
}

/** Bytes `start` to `end`, end exclusive; without an end, to the end of the object. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface GetOptions {
  readonly range?: ByteRange;
  /** The ETag that the object must still have. */
  readonly ifMatch?: string;
  /**
   * Memory for the answer, so that a caller may use it again and again. If it is large enough, the answer may be one chunk in
   * it; a store that has the bytes in memory anyway may answer with those. Until the answer has come, it may be written to at any
   * time, after an unsubscribe, too.
   */
  readonly into?: Uint8Array;
  /**
   * Takes the bytes as they come, so that they need not be held. A store that uses it answers without chunks, when all has been
   * taken; others answer as without it. Ignored without a range that has an end: a whole object is checked first.
   */
  readonly take?: TakeBytes;
}

/**
 * Takes bytes that begin `at` bytes after the start of the range. They must not be changed before it resolves. A request that is
 * repeated may give the same bytes again. If it rejects, the request fails with that error.
 */
export type TakeBytes = (chunks: readonly Uint8Array[], at: number) => Promise<void>;

export interface PutOptions extends ObjectDescription {
  /** The ETag of the object that this is a copy of. A store that gives ETags as it likes may keep it. */
  readonly copyOf?: string;
  /** Create only: of any number of concurrent puts exactly one succeeds. */
  readonly ifNoneMatch?: '*';
  readonly ifMatch?: string;
}

export interface UploadOptions extends ObjectDescription {
  /** What the object will be, so that a store may write all parts into one file. A store may ignore it. */
  readonly layout?: Layout;
}

/** An object whose parts have one size, except the last. */
export interface Layout {
  /** Bytes. */
  readonly size: number;
  readonly partSize: number;
  /** The ETag that the object gets: that of the object it is a copy of. */
  readonly etag: string;
}

export interface CreatedUpload {
  readonly uploadId: string;
  /** Whether the store keeps to the `layout`. */
  readonly laidOut?: boolean;
}

export interface CopyOptions {
  /** The ETag that the source must still have. */
  readonly ifMatch?: string;
  /** The source's bucket on the same server. Default: the store's own. */
  readonly bucket?: string;
}

/** What HTTP says of a body; S3 keeps it with the object. Any text without control characters and blanks around it. */
export interface ContentHeaders {
  readonly type?: string;
  readonly encoding?: string;
  readonly disposition?: string;
  readonly language?: string;
  readonly cacheControl?: string;
}

export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Opaque, with its quotes stripped. */
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** Absent in listings. */
  readonly metadata?: Metadata;
  /** Absent in listings. */
  readonly content?: ContentHeaders;
  /** Absent in listings, and from servers that have another request for them, as S3 does. */
  readonly tags?: Tags;
  /** Where the server tells. */
  readonly storageClass?: string;
}

export interface ObjectBody {
  readonly info: ObjectInfo;
  /** The range's bytes as they arrived, not joined, not copied; or one chunk of the memory given. */
  readonly chunks: readonly Uint8Array[];
  /** Bytes that were given to `GetOptions.take` instead. */
  readonly taken?: number;
}

export interface PutResult {
  readonly etag: string;
}

export interface ListOptions {
  readonly prefix?: string;
  /** Keys strictly after this one in UTF-8 order. */
  readonly startAfter?: string;
  /** Folds keys that share the text from `prefix` to the delimiter into one of `prefixes`. */
  readonly delimiter?: string;
  /** Continues the listing that gave this cursor. */
  readonly cursor?: string;
  /** The maximum number of keys and prefixes, 1 to 1,000. Default 1,000. */
  readonly limit?: number;
  /**
   * What becomes of what is there but cannot be listed as an object, as happens on a local directory: `fail` (default)
   * makes the listing fail with the error of the first, `report` puts all in `ListPage.unlisted`.
   */
  readonly unlisted?: 'fail' | 'report';
  /**
   * Which symbolic links a local directory follows: `all` (default), those to `files`, or `none`. The others are
   * `unlisted`. Those that the prefix itself goes through are always followed.
   */
  readonly links?: 'all' | 'files' | 'none';
}

/** Something in a local directory that cannot be listed as an object. */
export interface Unlisted {
  /** The key it would have; of a directory, or a link to one, with a slash at its end. U+FFFD is what is not UTF-8. */
  readonly key: string;
  /**
   * `link`: a link that was not to be followed. `unreadable`: a link that leads nowhere or in a circle, a pipe, socket or
   * device, a name that is not UTF-8 or the store's own, or what this user may not look at.
   */
  readonly reason: 'link' | 'unreadable';
  readonly error: StoreError;
}

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  readonly prefixes: readonly string[];
  /** With `unlisted: 'report'`, if there are any. They count for the limit. */
  readonly unlisted?: readonly Unlisted[];
  /** Present if there is more. */
  readonly cursor?: string;
  /** The time by the clock that dates objects, when the page was made. Milliseconds since the epoch. Where the server tells. */
  readonly date?: number;
}

export interface DeleteFailure {
  readonly key: string;
  readonly error: Error;
}

export interface UploadedPart {
  readonly number: number;
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

export interface UploadInfo {
  readonly key: string;
  readonly uploadId: string;
  /** Milliseconds since the epoch. */
  readonly initiated: number;
}

export interface UploadCursor {
  readonly key: string;
  readonly uploadId: string;
}

export interface UploadPage {
  readonly uploads: readonly UploadInfo[];
  readonly next?: UploadCursor;
}
