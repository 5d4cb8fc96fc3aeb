import { defer, type Observable } from 'rxjs';
import { refuseBucket } from '../../path/index.js';
import { hasTags } from '../description.js';
import { checkKey } from '../helpers.js';
import type {
  ByteRange,
  CopyOptions,
  DeleteFailure,
  ObjectDescription,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
  UploadCursor,
  UploadedPart,
  UploadOptions,
  UploadPage,
} from '../objectStore.js';
import type { Access } from './access.js';
import type { Asked, S3Operation } from './errors.js';
import { ListedKeys } from './listedKeys.js';
import type { ResolvedOptions } from './options.js';
import { wantedBy } from './wire.js';
import type { Place, UploadPlace } from './place.js';
import type { S3Pool } from './pool.js';
import type { Sdk } from './loadSdk.js';

interface S3StoreContext {
  readonly uri?: string | undefined;
  /** The requirements of buckets that it copies from. Default: those of its own. */
  readonly accessOf?: (bucket: string) => Access;
}

/** A bucket as an {@link ObjectStore}. Each method is one request. */
export class S3Store implements ObjectStore {
  readonly uri: string;
  readonly #bucket: string;
  readonly #pool: S3Pool;
  readonly #options: ResolvedOptions;
  readonly #accessOf: (bucket: string) => Access;
  readonly #keys = new ListedKeys();

  /** Throws `InvalidUri` for the ARN of an access point. */
  constructor(
    bucket: string,
    pool: S3Pool,
    options = pool.options,
    { uri = `s3://${bucket}`, accessOf = () => options }: S3StoreContext = {},
  ) {
    refuseBucket('s3', bucket);
    this.uri = uri;
    this.#bucket = bucket;
    this.#pool = pool;
    this.#options = options;
    this.#accessOf = (name) => (name === bucket ? options : accessOf(name));
  }

  head(key: string, options: { readonly ifMatch?: string } = {}): Observable<ObjectInfo> {
    return this.#on(key, 'HeadObject', {}, ({ head }, place) => head({ ...place, key }, options.ifMatch));
  }

  get(key: string, options: GetOptions = {}): Observable<ObjectBody> {
    return this.#on(key, 'GetObject', {}, ({ get }, place) => get({ ...place, key }, options));
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Observable<PutResult> {
    const conditions = {
      ifNoneMatch: options.ifNoneMatch !== undefined,
      ifMatch: options.ifMatch !== undefined,
      ...this.#wanted(options),
    };
    return this.#on(key, 'PutObject', conditions, ({ put }, place) => put(place, key, body, options));
  }

  list(options: ListOptions): Observable<ListPage> {
    return this.#request({ operation: 'ListObjectsV2', bucket: this.#bucket }, ({ list }, place) =>
      list({ ...place, keys: this.#keys }, options),
    );
  }

  delete(keys: readonly string[]): Observable<readonly DeleteFailure[]> {
    return this.#request({ operation: 'DeleteObjects', bucket: this.#bucket }, ({ deleteKeys }, place) =>
      deleteKeys(place, keys),
    );
  }

  copy(from: string, to: string, options: CopyOptions = {}): Observable<PutResult> {
    return this.#on(to, 'CopyObject', this.#wanted(), ({ copy }, place) => copy(place, from, to, options));
  }

  createUpload(key: string, options: UploadOptions = {}): Observable<{ readonly uploadId: string }> {
    return this.#on(key, 'CreateMultipartUpload', this.#wanted(options), ({ uploads }, place) =>
      uploads.createUpload(place, key, options),
    );
  }

  uploadPart(key: string, uploadId: string, number: number, body: Uint8Array): Observable<UploadedPart> {
    return this.#upload(key, uploadId, 'UploadPart', {}, ({ uploads }, place) =>
      uploads.uploadPart(place, number, body),
    );
  }

  copyPart(
    key: string,
    uploadId: string,
    number: number,
    from: CopyOptions & { readonly key: string; readonly range?: ByteRange },
  ): Observable<UploadedPart> {
    return this.#upload(key, uploadId, 'UploadPartCopy', {}, ({ uploads }, place) =>
      uploads.copyPart(place, number, from),
    );
  }

  listParts(
    key: string,
    uploadId: string,
    after?: number,
  ): Observable<{ readonly parts: readonly UploadedPart[]; readonly next?: number }> {
    return this.#upload(key, uploadId, 'ListParts', {}, ({ listParts }, place) => listParts(place, after));
  }

  listUploads(options: { readonly prefix: string; readonly after?: UploadCursor }): Observable<UploadPage> {
    return this.#request(
      { operation: 'ListMultipartUploads', bucket: this.#bucket },
      ({ listUploads }, place) => listUploads(place, options),
    );
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string } = {},
  ): Observable<PutResult> {
    const conditions = {
      ifNoneMatch: options.ifNoneMatch !== undefined,
      ifMatch: options.ifMatch !== undefined,
      ...this.#wanted(),
    };
    return this.#upload(key, uploadId, 'CompleteMultipartUpload', conditions, ({ uploads }, place) =>
      uploads.completeUpload(place, parts, options),
    );
  }

  abortUpload(key: string, uploadId: string): Observable<void> {
    return this.#on(key, 'AbortMultipartUpload', {}, ({ uploads }, place) =>
      uploads.abortUpload({ ...place, key, uploadId }),
    );
  }

  /** The features that a write uses. */
  #wanted(description: ObjectDescription = {}): Partial<Asked> {
    const wanted = wantedBy(this.#options, description);
    return {
      ...(wanted !== undefined && { wanted }),
      acl: this.#options.acl !== undefined,
      tagged: hasTags(description.tags),
    };
  }

  #on<T>(
    key: string,
    operation: S3Operation,
    conditions: Partial<Asked>,
    exchange: (sdk: Sdk, place: Place) => Promise<T>,
  ): Observable<T> {
    return this.#request({ operation, bucket: this.#bucket, key, ...conditions }, exchange);
  }

  #upload<T>(
    key: string,
    uploadId: string,
    operation: S3Operation,
    conditions: Partial<Asked>,
    exchange: (sdk: Sdk, place: UploadPlace) => Promise<T>,
  ): Observable<T> {
    return this.#on(key, operation, conditions, (sdk, place) => {
      const upload = { ...place, key, uploadId };
      return sdk.uploads.detectMissingUpload(upload, () => exchange(sdk, upload));
    });
  }

  #request<T>(asked: Asked, exchange: (sdk: Sdk, place: Place) => Promise<T>): Observable<T> {
    return defer(() => {
      if (asked.key !== undefined) checkKey(asked.key);
      const sealed = this.#options.customerKey !== undefined;
      return this.#pool.request({ ...asked, sealed }, (sdk, client, signal) =>
        exchange(sdk, {
          client: sdk.withAccess(client, this.#accessOf),
          bucket: this.#bucket,
          signal,
          options: this.#options,
        }),
      );
    });
  }
}
