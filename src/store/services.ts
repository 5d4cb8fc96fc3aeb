import type { Observable } from 'rxjs';
import { Service } from '../flow/index.js';
import type { S3Options } from '../config/s3Options.js';
import type { ObjectStore } from './objectStore.js';

/** A place in a store: what a URI such as `s3://lake/raw/2026` resolves to. */
export interface StoreLocation {
  readonly store: ObjectStore;
  /** The key or key prefix, exactly as the URI has it, without the leading slash. */
  readonly key: string;
  /** The bucket's name on its server, for copies from another location of the same `server`. */
  readonly bucket: string;
  /** Locations with an equal `server` can copy from each other on it (`CopyOptions.bucket`). Absent where there are none such. */
  readonly server?: object;
  /** The same place through sockets of its own, which part uploads cannot starve. Where there are none, `store`. */
  readonly reserved: ObjectStore;
  /** What names refer to, where the store can tell. Absent where it cannot: on S3, two buckets may be one. */
  readonly identities?: Identities;
  /** The same place with another checksum on what is written, to try it. Absent where there are none such. */
  readonly variant?: (options: Pick<S3Options, 'checksum'>) => ObjectStore;
  /** What the probe of this store and bucket found. Probes on the first subscribe; emits once. */
  readonly capabilities: Observable<StoreCapabilities>;
}

/** Tells whether two names, of one store or of two, mean one thing: then their identities are equal. */
export interface Identities {
  /** Of the object of a key; `undefined` if there is none. */
  object(key: string): Observable<string | undefined>;
  /** Of the directory that a key is in: of `d/` that is `d`. */
  directory(key: string): Observable<DirectoryIdentity>;
}

export interface DirectoryIdentity {
  /** The directory, if nothing is missing, and those it is in, from the inside out, with their own names. */
  readonly within: readonly { readonly id: string; readonly name: string }[];
  /** The last parts of its path, as far as they do not exist. */
  readonly missing: readonly string[];
}

/** What differs between servers and changes what the protocols do. */
export interface StoreCapabilities {
  /** Of concurrent puts with `ifNoneMatch` exactly one wins. A job's log depends on it. */
  readonly conditionalPut: boolean;
  /** Complete accepts a subset of the uploaded parts (AWS: yes; Ceph RGW: no, so files roll at every checkpoint). */
  readonly completeSubset: boolean;
  /** A part but the last has at least so many bytes. */
  readonly minimumPartSize: number;
}

/** Opens stores by URI. The job provides it: operators never make a store. */
export interface Stores {
  /** Throws `InvalidUri` or `UnknownScheme`. The same URI gives the same store. */
  open(uri: string): StoreLocation;
}

export const stores = new Service<Stores>('millrace.stores');

/** Where the attempt keeps data that only its manifests refer to: segments and journals. */
export interface CheckpointData {
  readonly store: ObjectStore;
  /** A name for a new data object, unique over all attempts: this is what manifests hold. */
  name(operator: string, suffix: string): string;
  /** The key in `store` of a data object with that name. */
  key(name: string): string;
}

/** A directory of a job's checkpoints. */
export interface CheckpointFolder {
  readonly location: StoreLocation;
  /** Of keys in `location.store`, with a slash at its end. */
  readonly prefix: string;
}

/** Where no sink may write to. */
export const checkpointFolders = new Service<readonly CheckpointFolder[]>(
  'millrace.checkpointFolders',
  () => [],
);

export const checkpointData = new Service<CheckpointData>('millrace.checkpointData');
