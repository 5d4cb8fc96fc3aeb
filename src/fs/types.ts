/** What the operations of `millrace/operations` take and give. */
import type { Size } from '../config/units.js';
import type { ByteRange, ContentHeaders, Metadata } from '../store/objectStore.js';

/** An object, or a directory: the common start of other keys, up to a slash. */
export interface Entry {
  readonly uri: string;
  /** The last name of the key; a directory's ends in a slash. */
  readonly name: string;
  readonly kind: 'object' | 'directory';
  /** Bytes; 0 for a directory. */
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

/** How far a long operation has come. The last one has `done` equal to `total`. */
export interface Progress {
  readonly objects: { readonly done: number; readonly total?: number };
  readonly bytes: { readonly done: number; readonly total?: number };
  /** What was just dealt with, or is being dealt with. */
  readonly uri: string;
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
  /** Writes nothing where the object has these bytes already. */
  readonly putOnlyIfModified?: boolean;
  readonly metadata?: Metadata;
  readonly content?: ContentHeaders;
  readonly partSize?: Size;
  readonly inFlight?: number;
}

export interface Written {
  readonly uri: string;
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
  /** False if `putOnlyIfModified` found the same bytes. */
  readonly modified: boolean;
}
