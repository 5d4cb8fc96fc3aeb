/**
 * A store for objects larger than memory or disk: configured objects are generated while they are read, and multipart
 * uploads below `sink` are kept only as checksums. Everything else (manifests, segments, journals) goes to the base
 * store.
 *
 * As with a real store, answers come in a later turn of the event loop, and what is read is in fresh memory, or in
 * the given buffer.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { asyncScheduler, defer, map, of, subscribeOn, throwError, type Observable } from 'rxjs';
import {
  StoreError,
  type GetOptions,
  type ListOptions,
  type ListPage,
  type Metadata,
  type ObjectBody,
  type ObjectInfo,
  type ObjectStore,
  type PutResult,
  type UploadCursor,
  type UploadedPart,
  type UploadPage,
} from 'millrace/stores';
import { slice } from './content.js';
import { combineCrc32 } from './crc.js';

const chunkSize = 64 << 10;
const etagOfGenerated = '5eed5eed5eed5eed5eed5eed5eed5eed';

interface Part extends UploadedPart {
  readonly crc: number;
}

interface Upload {
  readonly key: string;
  readonly metadata: Metadata | undefined;
  readonly initiated: number;
  readonly parts: Map<number, Part>;
}

interface Published extends ObjectInfo {
  readonly digest: string;
}

export interface SyntheticOptions {
  /** Generated objects: key to size in bytes. */
  readonly generated?: Readonly<Record<string, number>>;
  /** Uploads to keys with this prefix keep checksums only. */
  readonly sink: string;
  /** Milliseconds that an uploaded part takes: with a slow store, clients must buffer. Default 0. */
  readonly partDelay?: number;
}

export class SyntheticStore implements ObjectStore {
  readonly uri: string;
  readonly #base: ObjectStore;
  readonly #sink: string;
  readonly #generated: ReadonlyMap<string, ObjectInfo>;
  readonly #uploads = new Map<string, Upload>();
  readonly #published = new Map<string, Published>();
  readonly #partDelay: number;
  #counter = 0;

  constructor(base: ObjectStore, { generated = {}, sink, partDelay = 0 }: SyntheticOptions) {
    this.#partDelay = partDelay;
    this.uri = base.uri;
    this.#base = base;
    this.#sink = sink;
    this.#generated = new Map(
      Object.entries(generated).map(([key, size]) => [
        key,
        { key, size, etag: etagOfGenerated, modified: 0 },
      ]),
    );
  }

  /** What was published below `sink`, by key, with `Digest` digests. */
  published(): ReadonlyMap<string, { readonly size: number; readonly digest: string }> {
    return this.#published;
  }

  /** Forgets what was published. */
  forget(): void {
    this.#published.clear();
  }

  head(key: string, options?: { readonly ifMatch?: string }): Observable<ObjectInfo> {
    const info = this.#own(key);
    return info === undefined ? this.#base.head(key, options) : later(() => checked(info, options?.ifMatch));
  }

  get(key: string, options: GetOptions = {}): Observable<ObjectBody> {
    const info = this.#own(key);
    if (info === undefined) return this.#base.get(key, options);
    if (!this.#generated.has(key))
      return throwError(
        () => new StoreError('NotSupported', `${key} was uploaded: only its checksum is kept.`),
      );
    return later(() => {
      checked(info, options.ifMatch);
      const end = Math.min(options.range?.end ?? info.size, info.size);
      const start = options.range?.start ?? 0;
      const memory = (options.into?.length ?? 0) < end - start ? undefined : options.into;
      const chunks: Uint8Array[] = memory === undefined ? [] : [memory.subarray(0, end - start)];
      for (let at = start; at < end; at += chunkSize) {
        const piece = slice(at, Math.min(chunkSize, end - at));
        if (memory === undefined) chunks.push(Buffer.from(piece));
        else memory.set(piece, at - start);
      }
      return { info, chunks };
    });
  }

  put: ObjectStore['put'] = (key, body, options) => this.#base.put(key, body, options);

  /** The base's page, plus all of ours on the first one: sufficient for bases that hold less than a page. */
  list(options: ListOptions): Observable<ListPage> {
    return this.#base.list(options).pipe(
      map((page) => {
        if (options.cursor !== undefined) return page;
        const ours = [...this.#generated.values(), ...this.#published.values()].filter(
          ({ key }) => key.startsWith(options.prefix ?? '') && key > (options.startAfter ?? ''),
        );
        return { ...page, objects: [...page.objects, ...ours].sort((a, b) => (a.key < b.key ? -1 : 1)) };
      }),
    );
  }

  delete: ObjectStore['delete'] = (keys) => {
    for (const key of keys) this.#published.delete(key);
    return this.#base.delete(keys.filter((key) => !key.startsWith(this.#sink)));
  };

  copy: ObjectStore['copy'] = (from, to, options) => this.#base.copy(from, to, options);

  createUpload(
    key: string,
    options?: { readonly metadata?: Metadata },
  ): Observable<{ readonly uploadId: string }> {
    if (!key.startsWith(this.#sink)) return this.#base.createUpload(key, options);
    return later(() => {
      const uploadId = `synthetic-${++this.#counter}`;
      this.#uploads.set(uploadId, {
        key,
        metadata: options?.metadata,
        initiated: Date.now(),
        parts: new Map(),
      });
      return { uploadId };
    });
  }

  uploadPart(key: string, uploadId: string, number: number, body: Uint8Array): Observable<UploadedPart> {
    if (!key.startsWith(this.#sink)) return this.#base.uploadPart(key, uploadId, number, body);
    return later(() => {
      const crc = crc32(body);
      const size = body.byteLength;
      const etag = partEtag(crc, size);
      this.#upload(uploadId).parts.set(number, { number, etag, size, crc });
      return { number, etag, size };
    }, this.#partDelay);
  }

  copyPart: ObjectStore['copyPart'] = (key, uploadId, number, from) =>
    this.#base.copyPart(key, uploadId, number, from);

  listParts(key: string, uploadId: string, after = 0): ReturnType<ObjectStore['listParts']> {
    if (!key.startsWith(this.#sink)) return this.#base.listParts(key, uploadId, after);
    return later(() => ({ parts: inOrder(this.#upload(uploadId)).filter(({ number }) => number > after) }));
  }

  listUploads(options: { readonly prefix: string; readonly after?: UploadCursor }): Observable<UploadPage> {
    return this.#base.listUploads(options).pipe(
      map((page) => {
        if (options.after !== undefined) return page;
        const ours = [...this.#uploads]
          .filter(([, upload]) => upload.key.startsWith(options.prefix))
          .map(([uploadId, { key, initiated }]) => ({ key, uploadId, initiated }));
        return { ...page, uploads: [...page.uploads, ...ours] };
      }),
    );
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options?: { readonly ifNoneMatch?: '*' },
  ): Observable<PutResult> {
    if (!key.startsWith(this.#sink)) return this.#base.completeUpload(key, uploadId, parts, options);
    return later(() => {
      const upload = this.#upload(uploadId);
      const etags = createHash('md5');
      let crc = 0;
      let size = 0;
      for (const { number, etag } of parts) {
        const part = upload.parts.get(number);
        if (part?.etag !== etag)
          throw new StoreError('InvalidPart', `Part ${number} of ${key} is not ${etag}.`);
        etags.update(etag, 'hex');
        crc = combineCrc32(crc, part.crc, part.size);
        size += part.size;
      }
      const etag = `${etags.digest('hex')}-${parts.length}`;
      this.#published.set(key, {
        key,
        size,
        etag,
        modified: Date.now(),
        ...(upload.metadata === undefined ? {} : { metadata: upload.metadata }),
        digest: `${crc.toString(16).padStart(8, '0')}-${size}`,
      });
      this.#uploads.delete(uploadId);
      return { etag };
    });
  }

  abortUpload(key: string, uploadId: string): Observable<void> {
    if (!key.startsWith(this.#sink)) return this.#base.abortUpload(key, uploadId);
    return later(() => void this.#uploads.delete(uploadId));
  }

  #own(key: string): ObjectInfo | undefined {
    return this.#generated.get(key) ?? this.#published.get(key);
  }

  #upload(uploadId: string): Upload {
    const upload = this.#uploads.get(uploadId);
    if (upload === undefined) throw new StoreError('NotFound', `There is no upload ${uploadId}.`);
    return upload;
  }
}

/** As long as an MD5, which other servers use. */
const partEtag = (crc: number, size: number): string =>
  `${crc.toString(16).padStart(8, '0')}${size.toString(16).padStart(24, '0')}`;

/** The ETag of the first `size` bytes of the synthetic content, uploaded in parts of `partSize`. */
export function expectedEtag(size: number, partSize: number): string {
  const etags = createHash('md5');
  let parts = 0;
  for (let offset = 0; offset < size; offset += partSize, parts++) {
    const part = slice(offset, Math.min(partSize, size - offset));
    etags.update(partEtag(crc32(part), part.length), 'hex');
  }
  return `${etags.digest('hex')}-${parts}`;
}

function inOrder(upload: Upload): Part[] {
  return [...upload.parts.values()].sort((a, b) => a.number - b.number);
}

function checked(info: ObjectInfo, ifMatch: string | undefined): ObjectInfo {
  if (ifMatch !== undefined && ifMatch !== info.etag)
    throw new StoreError('PreconditionFailed', `${info.key} is no longer ${ifMatch}.`);
  return info;
}

function later<T>(answer: () => T, delay = 0): Observable<T> {
  return defer(() => of(answer())).pipe(subscribeOn(asyncScheduler, delay));
}
