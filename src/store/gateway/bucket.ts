/**
 * A bucket: its store, and the attributes of objects that S3 has and a store does not: encryption, storage class, checksum.
 * Nothing is encrypted; the headers are stored, returned, and affect ETags as on AWS. They are held in memory, as long as
 * the gateway lives.
 *
 * Under KMS an ETag is not an MD5, and never repeats. So each such object or part gets a random ETag, and this class
 * translates between those and the store's in conditions, listings and Completes.
 */
import { randomBytes } from 'node:crypto';
import { map, type Observable } from 'rxjs';
import type {
  ByteRange,
  CopyOptions,
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

/** Attributes of an object that its store does not hold. */
export interface Attributes {
  /** `x-amz-server-side-encryption` and related headers. */
  readonly encryption: Readonly<Record<string, string>>;
  /** Its ETag must not be an MD5. */
  readonly opaque: boolean;
  readonly storageClass?: string | undefined;
  /** A header `x-amz-checksum-…`. */
  readonly checksum?: readonly [name: string, value: string] | undefined;
}

interface Etags {
  /** The store's. */
  readonly inner: string;
  /** The clients'. */
  readonly outer: string;
}

interface Upload {
  readonly attributes: Attributes;
  readonly parts: Map<number, Etags>;
}

/** No attributes beyond the store's. */
export const noAttributes: Attributes = { encryption: {}, opaque: false };

/** An ETag that no object has. */
const unusedEtag = 'none';

type Parts = { readonly parts: readonly UploadedPart[]; readonly next?: number };

export class Bucket {
  readonly #store: ObjectStore;
  readonly #objects = new Map<string, Etags & { readonly attributes: Attributes }>();
  readonly #uploads = new Map<string, Upload>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** The attributes of this version of an object. */
  attributesOf({ key, etag }: Pick<ObjectInfo, 'key' | 'etag'>): Attributes {
    const found = this.#objects.get(key);
    return found?.outer === etag ? found.attributes : noAttributes;
  }

  /** The attributes that an upload's object will have. */
  attributesOfUpload(uploadId: string): Attributes {
    return this.#uploads.get(uploadId)?.attributes ?? noAttributes;
  }

  head(key: string, options: { readonly ifMatch?: string }): Observable<ObjectInfo> {
    return this.#store.head(key, this.#inward(key, options)).pipe(map((info) => this.#outward(info)));
  }

  get(key: string, options: GetOptions): Observable<ObjectBody> {
    return this.#store
      .get(key, this.#inward(key, options))
      .pipe(map(({ info, chunks }) => ({ info: this.#outward(info), chunks })));
  }

  put(key: string, body: Uint8Array, options: PutOptions, attributes: Attributes): Observable<PutResult> {
    return this.#store
      .put(key, body, this.#inward(key, options))
      .pipe(map(({ etag }) => this.#setAttributes(key, etag, attributes)));
  }

  list(options: ListOptions): Observable<ListPage> {
    return this.#store
      .list(options)
      .pipe(map((page) => ({ ...page, objects: page.objects.map((info) => this.#outward(info)) })));
  }

  delete(keys: readonly string[]): ReturnType<ObjectStore['delete']> {
    return this.#store.delete(keys).pipe(
      map((failures) => {
        for (const key of keys) this.#objects.delete(key);
        return failures;
      }),
    );
  }

  copy(from: string, to: string, options: CopyOptions, attributes: Attributes): Observable<PutResult> {
    return this.#store
      .copy(from, to, this.#inward(from, options))
      .pipe(map(({ etag }) => this.#setAttributes(to, etag, attributes)));
  }

  createUpload(
    key: string,
    options: UploadOptions,
    attributes: Attributes,
  ): Observable<{ readonly uploadId: string }> {
    return this.#store.createUpload(key, options).pipe(
      map(({ uploadId }) => {
        if (attributes !== noAttributes) this.#uploads.set(uploadId, { attributes, parts: new Map() });
        return { uploadId };
      }),
    );
  }

  uploadPart(key: string, uploadId: string, number: number, body: Uint8Array): Observable<UploadedPart> {
    return this.#store
      .uploadPart(key, uploadId, number, body)
      .pipe(map((part) => this.#keepPart(uploadId, part)));
  }

  copyPart(
    key: string,
    uploadId: string,
    number: number,
    from: CopyOptions & { readonly key: string; readonly range?: ByteRange },
  ): Observable<UploadedPart> {
    return this.#store
      .copyPart(key, uploadId, number, this.#inward(from.key, from))
      .pipe(map((part) => this.#keepPart(uploadId, part)));
  }

  listParts(key: string, uploadId: string, after?: number): Observable<Parts> {
    return this.#store.listParts(key, uploadId, after).pipe(
      map((page) => ({
        ...page,
        parts: page.parts.map((part) => {
          const known = this.#uploads.get(uploadId)?.parts.get(part.number);
          return known?.inner === part.etag ? { ...part, etag: known.outer } : part;
        }),
      })),
    );
  }

  listUploads(options: { readonly prefix: string; readonly after?: UploadCursor }): Observable<UploadPage> {
    return this.#store.listUploads(options);
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string },
  ): Observable<PutResult> {
    const upload = this.#uploads.get(uploadId);
    const inner = parts.map((part) => {
      const known = upload?.parts.get(part.number);
      if (known === undefined) return part;
      return { ...part, etag: known.outer === part.etag ? known.inner : unusedEtag };
    });
    return this.#store.completeUpload(key, uploadId, inner, this.#inward(key, options)).pipe(
      map(({ etag }) => {
        this.#uploads.delete(uploadId);
        return this.#setAttributes(key, etag, upload?.attributes ?? noAttributes);
      }),
    );
  }

  abortUpload(key: string, uploadId: string): Observable<void> {
    return this.#store.abortUpload(key, uploadId).pipe(
      map((done) => {
        this.#uploads.delete(uploadId);
        return done;
      }),
    );
  }

  #setAttributes(key: string, etag: string, attributes: Attributes): PutResult {
    if (attributes === noAttributes) this.#objects.delete(key);
    else this.#objects.set(key, { inner: etag, outer: attributes.opaque ? opaque(etag) : etag, attributes });
    return { etag: this.#objects.get(key)?.outer ?? etag };
  }

  #keepPart(uploadId: string, part: UploadedPart): UploadedPart {
    const upload = this.#uploads.get(uploadId);
    if (upload?.attributes.opaque !== true) return part;
    const outer = opaque(part.etag);
    upload.parts.set(part.number, { inner: part.etag, outer });
    return { ...part, etag: outer };
  }

  #outward(info: ObjectInfo): ObjectInfo {
    const known = this.#objects.get(info.key);
    if (known?.inner !== info.etag) return info;
    const { storageClass } = known.attributes;
    return { ...info, etag: known.outer, ...(storageClass === undefined ? {} : { storageClass }) };
  }

  /** Translates a condition to the store's ETag. */
  #inward<T extends { readonly ifMatch?: string }>(key: string, options: T): T {
    const known = this.#objects.get(key);
    if (options.ifMatch === undefined || known?.attributes.opaque !== true) return options;
    return { ...options, ifMatch: options.ifMatch === known.outer ? known.inner : unusedEtag };
  }
}

/** A random ETag of the same form. */
function opaque(etag: string): string {
  return randomBytes(16).toString('hex') + (/-\d+$/.exec(etag)?.[0] ?? '');
}
