/** What the operations of `millrace/operations` take and give. */
import type { Observable, ObservableInput } from 'rxjs';
import type { Duration, Size } from '../config/units.js';
import type { ByteRange, ContentHeaders, Metadata } from '../store/objectStore.js';
import type { Links } from '../store/links.js';
import type { Failure } from './operations/errors.js';

/** An object, or a directory: the common start of other keys, up to a slash. */
export interface Entry {
  readonly uri: string;
  /** The last name of the key; a directory's ends in a slash. Empty for a bucket as a whole. */
  readonly name: string;
  readonly kind: 'object' | 'directory';
  /** Bytes; of a directory those of its marker, if there is one: 0 as a rule. */
  readonly size: number;
  /** Milliseconds since the epoch; 0 where it is not known. */
  readonly modified: number;
  readonly etag?: string;
  readonly storageClass?: string;
}

export interface Stat extends Entry {
  readonly metadata?: Metadata;
  readonly content?: ContentHeaders;
}

export type { Links };

/** What becomes of what is in local directories and is no object. */
export interface Skipping {
  /**
   * Links that lead nowhere or in a circle, pipes, sockets and devices, names that are not UTF-8, and what this user may
   * not look at: `fail` (default) does all else and ends with an error that names them, `skip` leaves them out.
   */
  readonly unreadable?: 'fail' | 'skip';
  /** Hears of each that was skipped, links too. */
  readonly onSkipped?: (skipped: Failure) => void;
}

export interface ListOptions extends Skipping {
  /** Default `follow`. */
  readonly links?: Links;
  /**
   * Brakes: the next page (at most 1,000 entries) is asked for when what this returns completes. It is called when the
   * entries of a page have been emitted. Default: pages follow each other as fast as they come, and a consumer that is
   * slower than the store has to keep what it was given.
   */
  readonly pace?: (page: readonly Entry[]) => ObservableInput<unknown>;
}

/** How far a long operation has come. The last one has `done` equal to `total`. */
export interface Progress {
  /** `total` is absent until it is known: a listing may be under way. */
  readonly objects: { readonly done: number; readonly total?: number };
  readonly bytes: { readonly done: number; readonly total?: number };
  /** What was just dealt with. */
  readonly uri: string;
}

export interface RemoveOptions extends Skipping {
  /** Of what is below a directory. A link that is removed leaves what it leads to. Default `files`: nothing outside goes. */
  readonly links?: Exclude<Links, 'follow'>;
  /** Directories with all their content. Default false: only an empty one goes. */
  readonly recursive?: boolean;
  /** Said along with `recursive` where the URI is a bucket as a whole. Default false. */
  readonly wholeBucket?: boolean;
  /** Asks first, and fails with `NotFound` if there is nothing. Default false: stores do not tell. */
  readonly mustExist?: boolean;
}

export interface CopyOptions extends Skipping {
  /** Of what is below a directory, or matches. Default `follow`. */
  readonly links?: Links;
  /** With false, an object that is there already fails with `AlreadyExists` (`If-None-Match: *`, so nobody's is lost). Default true, as `cp`. */
  readonly overwrite?: boolean;
}

export interface MoveOptions extends Omit<CopyOptions, 'links'> {
  /** Of what is below a directory. Default `files`: nothing outside goes. */
  readonly links?: Exclude<Links, 'follow'>;
}

export interface BulkCopyOptions extends CopyOptions {
  /**
   * Leaves alone what is there already: of the same size and, where ETags can tell, the same ETag, else not older than the
   * source. Servers tell times by the second, so what was written in the second of its copy is copied again. Default true.
   */
  readonly skipSame?: boolean;
  /** Leaves alone whatever is there already, the same or not; goes with `overwrite: false`, for what comes in between. Default false. */
  readonly skipExisting?: boolean;
  /**
   * An object of several parts that was interrupted (by a crash, an error, or an unsubscribe) goes on with the parts that
   * have arrived. What that takes is remembered until the object is complete, in a small object `.<name>.millrace-partial`
   * beside it, or below the URI given here. With false, an interruption drops what it leaves. Default true.
   */
  readonly resume?: boolean | string;
  /** Requests at the same time, 1 to 10,000. Default: `s3.bulk-copy.max-concurrent`, 16. */
  readonly concurrency?: number;
  /** Bytes of a part, 5 MiB to 1 GiB; larger where an object would have more than 10,000. Default: `s3.spi.write.multipart-part-size`, 8 MiB. */
  readonly partSize?: Size;
  /** Bytes in memory at the same time; a single part may exceed it. Default `concurrency` × `partSize`, at most 512 MiB. */
  readonly memory?: Size;
}

/** From where to where: an object, a directory (its content), or a glob (what matches, from its last fixed slash on). */
export interface CopyPair {
  readonly from: string;
  readonly to: string;
}

export interface BulkProgress extends Progress {
  /** What had not to be sent: objects that were there already, and parts that an earlier copy had brought. */
  readonly skipped: { readonly objects: number; readonly bytes: number };
}

export interface AbortOptions {
  /** Only what was begun longer ago than this; `0` takes all, those of running writers, too. */
  readonly olderThan: Duration;
}

/** A multipart upload that was begun, and neither completed nor aborted. */
export interface UploadEntry {
  /** Of the object that it would become. */
  readonly uri: string;
  readonly uploadId: string;
  /** Milliseconds since the epoch. */
  readonly initiated: number;
}

export interface ReadOptions {
  readonly range?: ByteRange;
  /** The ETag that the object must have. Default: the one it has when it is opened. */
  readonly ifMatch?: string;
  readonly fragment?: Size;
  /** Fragments under way or held at once. */
  readonly window?: number;
}

export interface WriteOptions {
  /** Fails with `AlreadyExists` if there is an object. */
  readonly assumeObjectNotExists?: boolean;
  /** Fails with `PreconditionFailed` unless the object has this ETag still. */
  readonly ifMatch?: string;
  /**
   * Fails with `PreconditionFailed` or `AlreadyExists` if anyone else writes the object between the start and the end: what is
   * there at the start is asked for (one HEAD), and demanded at the end.
   */
  readonly preventConcurrentOverwrite?: boolean;
  /**
   * Writes nothing where the object has these bytes already, which its ETag tells without a download: an MD5, of the whole
   * or of parts of the same size. Where ETags are no MD5s (SSE-KMS), the object is written.
   */
  readonly putOnlyIfModified?: boolean;
  /**
   * Compares what the server says it got, part by part, before anything is visible. Errors: `Integrity`; `NotSupported`
   * where ETags are no MD5s. Default false: the connection's own checksums watch over the way.
   */
  readonly integrityCheck?: boolean;
  readonly metadata?: Metadata;
  /** Default: the type of the key's extension. */
  readonly content?: ContentHeaders;
  /** Bytes of a part, 5 MiB to 1 GiB; from the thousandth on they grow. Default 8 MiB. */
  readonly partSize?: Size;
  /** Parts under way at once; one more may wait, and one be filled. Default 4. */
  readonly inFlight?: number;
}

/**
 * What an object is to hold. Of anything iterable, a Node stream too, the next chunk is taken when the one before is
 * written. An Observable cannot be told to wait: what it emits too early is kept in memory.
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
