/** The options and results of `millrace/operations`. */
import type { Observable, ObservableInput } from 'rxjs';
import type { Duration, Size } from '../config/units.js';
import type { ContentHeaders, Metadata } from '../store/objectStore.js';
import type { Links } from '../store/links.js';
import type { ReadOptions } from '../store/reader/index.js';
import type { Failure } from './operations/errors.js';

/** An object, or a directory: the common prefix of other keys, up to a slash. */
export interface Entry {
  readonly uri: string;
  /** The last name of the key; a directory's ends in a slash. Empty for a whole bucket. */
  readonly name: string;
  readonly kind: 'object' | 'directory';
  /** Bytes; for a directory those of its marker, usually 0. */
  readonly size: number;
  /** Milliseconds since the epoch; 0 if unknown. */
  readonly modified: number;
  readonly etag?: string;
  readonly storageClass?: string;
}

export interface Stat extends Entry {
  readonly metadata?: Metadata;
  readonly content?: ContentHeaders;
}

export type { Links };

/** The treatment of entries in local directories that are not objects. */
export interface Skipping {
  /**
   * For dangling or circular links, pipes, sockets, devices, names that are not UTF-8, and entries without permission: `fail`
   * (default) processes all others and ends with an error that lists them, `skip` ignores them.
   */
  readonly unreadable?: 'fail' | 'skip';
  /** Called for each skipped entry, including links. */
  readonly onSkipped?: (skipped: Failure) => void;
}

export interface ListOptions extends Skipping {
  /** Default `follow`. */
  readonly links?: Links;
  /**
   * Backpressure: called when the entries of a page (at most 1,000) have been emitted; the next page is requested when the
   * returned Observable completes. Default: pages are requested without pause, and a slow consumer has to buffer entries.
   */
  readonly pace?: (page: readonly Entry[]) => ObservableInput<unknown>;
}

/** The progress of an operation. The last one has `done` equal to `total`. */
export interface Progress {
  /** `total` is absent until the listing has ended. */
  readonly objects: { readonly done: number; readonly total?: number };
  readonly bytes: { readonly done: number; readonly total?: number };
  /** The object that was processed last. */
  readonly uri: string;
}

export interface RemoveOptions extends Skipping {
  /** For links below a directory. Removing a link keeps its target. Default `files`: nothing outside is removed. */
  readonly links?: Exclude<Links, 'follow'>;
  /** Removes directories with their content. Default false: only an empty directory is removed. */
  readonly recursive?: boolean;
  /** Required with `recursive` if the URI is a whole bucket. Default false. */
  readonly wholeBucket?: boolean;
  /** Checks first, and fails with `NotFound` if nothing exists. Default false. */
  readonly mustExist?: boolean;
}

export interface CopyOptions extends Skipping {
  /** For links below a directory, or that match. Default `follow`. */
  readonly links?: Links;
  /** With false, an existing object is never overwritten (`If-None-Match: *`), but fails with `AlreadyExists`. Default true, as `cp`. */
  readonly overwrite?: boolean;
}

export interface MoveOptions extends Omit<CopyOptions, 'links'> {
  /** For links below a directory. Default `files`: nothing outside is moved. */
  readonly links?: Exclude<Links, 'follow'>;
}

export interface BulkCopyOptions extends CopyOptions {
  /**
   * Skips objects whose target has the same size and, if ETags are comparable, the same ETag, else is not older than the
   * source. Servers report times in seconds, so an object written in the second of its copy is copied again. Default true.
   */
  readonly skipSame?: boolean;
  /** Skips all existing targets. Add `overwrite: false` to protect those created meanwhile. Default false. */
  readonly skipExisting?: boolean;
  /**
   * Resumes an object of several parts that was interrupted (by a crash, an error, or an unsubscribe) with its uploaded parts.
   * Until the object is complete, a small object `.<name>.millrace-partial` is stored next to it, or below the URI given
   * here. With false, an interruption aborts the upload. Default true.
   */
  readonly resume?: boolean | string;
  /** Concurrent requests, 1 to 10,000. Default: `s3.bulk-copy.max-concurrent`, 16. */
  readonly concurrency?: number;
  /** The size of a part, 5 MiB to 1 GiB; larger if an object would have more than 10,000. Default: `s3.spi.write.multipart-part-size`, 8 MiB. */
  readonly partSize?: Size;
  /** The limit of bytes in memory; a single part may exceed it. Default `concurrency` × `partSize`, at most 512 MiB. */
  readonly memory?: Size;
}

/** Source and target: an object, a directory's content, or a glob's matches, with their keys after its last fixed slash. */
export interface CopyPair {
  readonly from: string;
  readonly to: string;
}

export interface BulkProgress extends Progress {
  /** Objects that already existed, and parts that an earlier copy had uploaded. */
  readonly skipped: { readonly objects: number; readonly bytes: number };
}

export interface AbortOptions {
  /** The minimum age of an upload; `0` aborts all, including those of running writers. */
  readonly olderThan: Duration;
}

/** A multipart upload that was neither completed nor aborted. */
export interface UploadEntry {
  /** The URI of the object that it would become. */
  readonly uri: string;
  readonly uploadId: string;
  /** Milliseconds since the epoch. */
  readonly initiated: number;
}

export type { ReadOptions };

export interface WriteOptions {
  /** Fails with `AlreadyExists` if the object exists. */
  readonly assumeObjectNotExists?: boolean;
  /** Fails with `PreconditionFailed` unless the object still has this ETag. */
  readonly ifMatch?: string;
  /**
   * Fails with `PreconditionFailed` or `AlreadyExists` if another writer changes the object between the start and the end. Its
   * ETag at the start (one HEAD) is the condition at the end.
   */
  readonly preventConcurrentOverwrite?: boolean;
  /**
   * Writes nothing if the object already has these bytes, judged by its ETag: an MD5, of the whole or of parts of the same
   * size. If ETags are not MD5s (SSE-KMS), the object is written.
   */
  readonly putOnlyIfModified?: boolean;
  /**
   * Verifies the ETag of each part before the object is published. Errors: `Integrity`; `NotSupported` if ETags are not MD5s.
   * Default false: the connection's checksums already protect the transfer.
   */
  readonly integrityCheck?: boolean;
  readonly metadata?: Metadata;
  /** Default: the type of the key's extension. */
  readonly content?: ContentHeaders;
  /** The size of a part, 5 MiB to 1 GiB; it grows after the first thousand. Default 8 MiB. */
  readonly partSize?: Size;
  /** Concurrent part uploads; one more part may wait, and one be filled. Default 4. */
  readonly inFlight?: number;
}

/**
 * The content of an object. Iterables, including Node streams, are read with backpressure. Observables have none, so values
 * that are emitted too early are buffered in memory.
 */
export type WriteBody =
  | Uint8Array
  | string
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>
  | Observable<Uint8Array | string>;

export interface Written {
  readonly uri: string;
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
  /** False if `putOnlyIfModified` found the same bytes. */
  readonly modified: boolean;
}
