import type { ObjectStore, Tags } from '../../store/objectStore.js';

/** Features that differ between stores. Default: all `true`, and the part size of AWS. */
export interface StoreFeatures {
  /** `put` with `ifMatch`. */
  readonly putIfMatch: boolean;
  /** `completeUpload` with `ifNoneMatch`. */
  readonly conditionalComplete: boolean;
  /** Complete may omit uploaded parts; otherwise it must answer `InvalidPart`. */
  readonly completeSubset: boolean;
  /** Completed, aborted and unknown uploads answer `NotFound`; otherwise any error will do. */
  readonly exactUploadErrors: boolean;
  /**
   * Of concurrent completes of one upload, one succeeds and leaves the object intact; otherwise this is not tested.
   */
  readonly concurrentComplete: boolean;
  /** Objects keep tags. */
  readonly tags: boolean;
  /** Objects may have the storage class `STANDARD_IA`. */
  readonly storageClass: boolean;
  /** Keys may contain control characters, which XML cannot represent. */
  readonly controlCharacters: boolean;
  /** An upload’s ETag is the MD5 of its parts’ MD5s. Under KMS it is not. */
  readonly md5Etags: boolean;
  /** The minimum size of all parts but the last, in bytes. Default 5 MiB. */
  readonly minimumPartSize: number;
}

export interface ConformanceStore {
  readonly store: ObjectStore;
  /** Called once, at the end. */
  readonly close: () => Promise<void>;
  readonly supports?: Partial<StoreFeatures>;
  /** Reads the tags of an object, if `head` does not. */
  readonly tagsOf?: (key: string) => Promise<Tags>;
  /** A store of the same kind for a bucket that does not exist. */
  readonly missing?: ObjectStore;
  /** The name of the store's own bucket. */
  readonly bucket?: string;
  /** Another bucket from which the store can copy directly. Without it, such copies must be `NotSupported`. */
  readonly other?: OtherBucket;
}

export interface OtherBucket {
  readonly bucket: string;
  readonly store: ObjectStore;
}

/** The context of one test. */
export interface Case {
  readonly store: ObjectStore;
  readonly tagsOf: (key: string) => Promise<Tags>;
  readonly missing: ObjectStore | undefined;
  readonly bucket: string | undefined;
  readonly other: OtherBucket | undefined;
  readonly supports: StoreFeatures;
  /** The test writes only below it. */
  readonly prefix: string;
}

export type Declare = (title: string, body: (test: Case) => Promise<void>) => void;
