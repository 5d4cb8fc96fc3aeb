import type { ObjectStore } from '../../store/objectStore.js';

/** What differs between stores. All `true` by default, and parts as AWS has them. */
export interface StoreFeatures {
  /** `put` with `ifMatch`. */
  readonly putIfMatch: boolean;
  /** `completeUpload` with `ifNoneMatch`. */
  readonly conditionalComplete: boolean;
  /** Complete may leave uploaded parts out; otherwise it must answer `InvalidPart`. */
  readonly completeSubset: boolean;
  /** Completed, aborted and unknown uploads answer `NotFound`; otherwise any error will do. */
  readonly exactUploadErrors: boolean;
  /** Of concurrent completes of one upload, one succeeds and leaves the object intact; otherwise it is not tried. */
  readonly concurrentComplete: boolean;
  /** Keys may hold control characters, which XML cannot carry. */
  readonly controlCharacters: boolean;
  /** An upload’s ETag is the MD5 of its parts’ MD5s. Under KMS it is not. */
  readonly md5Etags: boolean;
  /** Parts but the last have at least so many bytes. Default 5 MiB. */
  readonly minimumPartSize: number;
}

export interface ConformanceStore {
  readonly store: ObjectStore;
  /** Called once, at the end. */
  readonly close: () => Promise<void>;
  readonly supports?: Partial<StoreFeatures>;
  /** The same kind of store on a bucket that does not exist. */
  readonly missing?: ObjectStore;
  /** The name of the store's own bucket. */
  readonly bucket?: string;
  /** Another bucket, from which the store can copy by itself. Without one, such copies must be `NotSupported`. */
  readonly other?: OtherBucket;
}

export interface OtherBucket {
  readonly bucket: string;
  readonly store: ObjectStore;
}

/** What one test has to work with. */
export interface Case {
  readonly store: ObjectStore;
  readonly missing: ObjectStore | undefined;
  readonly bucket: string | undefined;
  readonly other: OtherBucket | undefined;
  readonly supports: StoreFeatures;
  /** Everything the test writes is below it. */
  readonly prefix: string;
}

export type Declare = (title: string, body: (test: Case) => Promise<void>) => void;
