import type { Observable } from 'rxjs';
import { Service } from '../flow/index.js';
import type { S3Options } from '../config/s3Options.js';
import type { ObjectStore, TakeBytes, UploadedPart } from './objectStore.js';

/** A location in a store, such as `s3://lake/raw/2026`. */
export interface StoreLocation {
  readonly store: ObjectStore;
  /** The key or key prefix, exactly as in the URI, without the leading slash. */
  readonly key: string;
  /** The bucket's name on its server, for copies from another location of the same `server`. */
  readonly bucket: string;
  /** Locations with the same `server` can copy from each other (`CopyOptions.bucket`). Absent for other stores. */
  readonly server?: object;
  /** The same location over reserved sockets, which part uploads cannot starve; `store` if there are none. */
  readonly reserved: ObjectStore;
  /** Identifies objects and directories. Absent if the store cannot: on S3, two names may refer to one bucket. */
  readonly identities?: Identities;
  /** Writes the parts of uploads with a layout into one file. Absent if the store cannot. */
  readonly inPlace?: InPlace;
  /** The same location with another checksum on writes, to test it. Absent for stores other than S3. */
  readonly variant?: (options: Pick<S3Options, 'checksum'>) => ObjectStore;
  /**
   * Reads the lifecycle rules of the bucket on subscribe; emits once, and no rule if there is no configuration. Absent for stores
   * other than S3. Errors: `PermissionDenied` without `s3:GetLifecycleConfiguration`, `NotSupported` if the server has none.
   */
  readonly lifecycle?: Observable<readonly LifecycleRule[]>;
  /** The capabilities of the bucket. Probes on the first subscribe; emits once. */
  readonly capabilities: Observable<StoreCapabilities>;
}

/** A lifecycle rule of a bucket. Actions on noncurrent versions and transitions to storage classes that can be read are left out. */
export interface LifecycleRule {
  readonly id?: string;
  readonly enabled: boolean;
  /** The keys that it applies to; empty for all. */
  readonly prefix: string;
  /** It also selects by tags or sizes, so it applies to some of these keys only. */
  readonly hasOtherFilter: boolean;
  /** Deletes objects this number of days after their creation. */
  readonly expireAfterDays?: number;
  /** Deletes objects from this time on. Milliseconds since the epoch. */
  readonly expireAtDate?: number;
  /** Moves objects this number of days after their creation to a class that cannot be read without a restore. */
  readonly archiveAfterDays?: number;
  /** Moves them from this time on. Milliseconds since the epoch. */
  readonly archiveAtDate?: number;
  /** Aborts incomplete uploads this number of days after their creation. */
  readonly abortIncompleteAfterDays?: number;
}

/** Names with equal identities, in one store or two, refer to the same object or directory. */
export interface Identities {
  /** The identity of an object; `undefined` if there is none. */
  object(key: string): Observable<string | undefined>;
  /** The identity of the directory of a key; that of `d/` is `d`. */
  directory(key: string): Observable<DirectoryIdentity>;
}

/**
 * Writes into the file of an unfinished upload. Only one copy may: what an earlier one still writes after the upload was completed
 * by another would change the object.
 */
export interface InPlace {
  /** Claims an upload of an earlier copy. `false` if that is still running. */
  claim(key: string, uploadId: string): Observable<boolean>;
  /** Gives a created or claimed upload free. */
  release(key: string, uploadId: string): void;
  /** Adds a part when `fill` has completed, which writes all its bytes, in any order. */
  fillPart(
    key: string,
    uploadId: string,
    number: number,
    fill: (write: TakeBytes) => Observable<unknown>,
  ): Observable<UploadedPart>;
}

export interface DirectoryIdentity {
  /** The innermost existing directory and its ancestors, from the inside out. */
  readonly within: readonly { readonly id: string; readonly name: string }[];
  /** The last parts of its path that do not exist. */
  readonly missing: readonly string[];
}

/** Differences between servers that the protocols depend on. */
export interface StoreCapabilities {
  /** Exactly one of several concurrent puts with `ifNoneMatch` wins. A job's log depends on it. */
  readonly conditionalPut: boolean;
  /** Complete accepts a subset of the uploaded parts (AWS: yes; Ceph RGW: no, so files roll at every checkpoint). */
  readonly completeSubset: boolean;
  /** The minimum size of every part but the last. Bytes. */
  readonly minimumPartSize: number;
}

/** Opens stores by URI. Provided by the job: operators never create a store. */
export interface Stores {
  /** Returns the same store for the same URI. Throws `InvalidUri` or `UnknownScheme`. */
  open(uri: string): StoreLocation;
}

export const stores = new Service<Stores>('millrace.stores');

/** The location of data that only manifests refer to: segments and journals. */
export interface CheckpointData {
  readonly store: ObjectStore;
  /** A name for a new data object, unique over all attempts. Manifests hold this name. */
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

/**
 * Whether sinks may move bytes out of memory into the checkpoint directory. Default `true`; not where that is in memory itself.
 */
export const spilling = new Service<boolean>('millrace.spilling', () => true);

export const checkpointData = new Service<CheckpointData>('millrace.checkpointData');
