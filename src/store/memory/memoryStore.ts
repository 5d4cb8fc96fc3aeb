/**
 * A store in this process's memory, for tests, examples and simulations.
 *
 * It has the guarantees of AWS S3, and emits synchronously, before `subscribe` returns, so a whole job runs on it in virtual
 * time. Every method is one atomic step.
 */
import { Observable } from 'rxjs';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { checkDescription, descriptionOf, inherited } from '../description.js';
import { StoreError } from '../errors.js';
import { awsMinimumPartSize, checkBucket, checkKey, checkPartNumber, md5 } from '../helpers.js';
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
import { listSorted } from './listing.js';
import { SortedMap } from './sortedMap.js';
import { Uploads } from './uploads.js';

export interface MemoryStoreOptions {
  /** Default `memory://test`. */
  readonly uri?: string;
  /** The clock of `modified` and `initiated`. Default: the machine's clock. */
  readonly clock?: Pick<Clock, 'now'>;
  /** The minimum size of every part but the last. Bytes. Default 5 MiB, as on AWS. */
  readonly minimumPartSize?: number;
  /** Whether Complete may leave uploaded parts out: AWS `true` (the default), Ceph RGW `false` (`InvalidPart`). */
  readonly completeSubset?: boolean;
}

const names: OptionNames<MemoryStoreOptions> = {
  uri: true,
  clock: true,
  minimumPartSize: true,
  completeSubset: true,
};

interface Stored {
  readonly info: ObjectInfo;
  readonly chunks: readonly Uint8Array[];
}

/**
 * Makes an empty store in memory. It does what AWS S3 does, unless the options say less.
 *
 * @example
 * ```ts
 * const store = createMemoryStore({ uri: 'memory://lake' });
 * store.put('raw/a.txt', Buffer.from('hello')).subscribe(({ etag }) => console.log(etag));
 * ```
 */
export function createMemoryStore(options: MemoryStoreOptions = {}): ObjectStore {
  checkOptions('createMemoryStore', options, names);
  return new MemoryStore(options);
}

class MemoryStore implements ObjectStore {
  readonly uri: string;
  readonly #objects = new SortedMap<Stored>();
  readonly #uploads: Uploads;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #bucket: string;

  constructor({
    uri = 'memory://test',
    clock = systemClock,
    minimumPartSize = awsMinimumPartSize,
    completeSubset = true,
  }: MemoryStoreOptions) {
    this.uri = uri;
    this.#clock = clock;
    this.#bucket = uri.replace(/^[^:]*:\/\//, '');
    this.#uploads = new Uploads(clock, minimumPartSize, completeSubset);
  }

  head(key: string, options: { readonly ifMatch?: string } = {}): Observable<ObjectInfo> {
    return once(() => this.#existing(key, options.ifMatch).info);
  }

  get(key: string, options: GetOptions = {}): Observable<ObjectBody> {
    return once(() => {
      const { info, chunks } = this.#existing(key, options.ifMatch);
      return { info, chunks: options.range === undefined ? chunks : cut(chunks, options.range) };
    });
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Observable<PutResult> {
    return once(() => {
      checkKey(key);
      checkDescription(options);
      this.#checkConditions(key, options);
      // Copied: the caller may reuse the buffer.
      return this.#store(key, [Uint8Array.from(body)], md5(body), options);
    });
  }

  list(options: ListOptions): Observable<ListPage> {
    return once(() => ({ ...listSorted(this.#objects, options), date: this.#clock.now() }));
  }

  delete(keys: readonly string[]): Observable<readonly DeleteFailure[]> {
    return once(() => {
      for (const key of keys) this.#objects.delete(key);
      return [];
    });
  }

  copy(from: string, to: string, options: CopyOptions = {}): Observable<PutResult> {
    return once(() => {
      checkKey(to);
      checkBucket(this.uri, this.#bucket, options);
      const { info, chunks } = this.#existing(from, options.ifMatch);
      return this.#store(to, chunks, info.etag, inherited(info));
    });
  }

  createUpload(key: string, options: UploadOptions = {}): Observable<{ readonly uploadId: string }> {
    return once(() => {
      checkKey(key);
      checkDescription(options);
      return { uploadId: this.#uploads.create(key, options) };
    });
  }

  uploadPart(key: string, uploadId: string, number: number, body: Uint8Array): Observable<UploadedPart> {
    return once(() => {
      checkPartNumber(number);
      return this.#uploads.add(key, uploadId, number, [Uint8Array.from(body)], md5(body));
    });
  }

  copyPart(
    key: string,
    uploadId: string,
    number: number,
    from: CopyOptions & { readonly key: string; readonly range?: ByteRange },
  ): Observable<UploadedPart> {
    return once(() => {
      checkPartNumber(number);
      checkBucket(this.uri, this.#bucket, from);
      const { chunks } = this.#existing(from.key, from.ifMatch);
      const bytes = Buffer.concat(from.range === undefined ? chunks : cut(chunks, from.range));
      return this.#uploads.add(key, uploadId, number, [bytes], md5(bytes));
    });
  }

  listParts(
    key: string,
    uploadId: string,
    after = 0,
  ): Observable<{ readonly parts: readonly UploadedPart[]; readonly next?: number }> {
    return once(() => this.#uploads.parts(key, uploadId, after));
  }

  listUploads(options: { readonly prefix: string; readonly after?: UploadCursor }): Observable<UploadPage> {
    return once(() => this.#uploads.list(options.prefix, options.after));
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string } = {},
  ): Observable<PutResult> {
    return once(() => {
      const done = this.#uploads.check(key, uploadId, parts);
      this.#checkConditions(key, options);
      this.#uploads.drop(key, uploadId);
      // As on S3, its date is that of the start of the upload.
      return this.#store(key, done.chunks, done.etag, done.described, done.initiated);
    });
  }

  abortUpload(key: string, uploadId: string): Observable<void> {
    return once(() => this.#uploads.drop(key, uploadId));
  }

  #existing(key: string, ifMatch: string | undefined): Stored {
    const found = this.#objects.get(key);
    if (found === undefined)
      throw new StoreError('NotFound', `${this.uri}/${key} does not exist.`, { status: 404 });
    if (ifMatch !== undefined && found.info.etag !== ifMatch) throw changed(this.uri, key);
    return found;
  }

  #checkConditions(key: string, options: PutOptions): void {
    if (options.ifNoneMatch !== undefined && this.#objects.has(key)) {
      throw new StoreError('AlreadyExists', `${this.uri}/${key} already exists.`, { status: 412 });
    }
    if (options.ifMatch !== undefined) this.#existing(key, options.ifMatch);
  }

  #store(
    key: string,
    chunks: readonly Uint8Array[],
    etag: string,
    described: ObjectDescription,
    modified = this.#clock.now(),
  ): PutResult {
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#objects.set(key, {
      info: {
        key,
        size,
        etag,
        modified,
        metadata: {},
        content: {},
        ...descriptionOf(described),
      },
      chunks,
    });
    return { etag };
  }
}

function changed(uri: string, key: string): StoreError {
  return new StoreError(
    'PreconditionFailed',
    `${uri}/${key} has changed: it no longer has the requested ETag.`,
    { status: 412 },
  );
}

/** One request: runs on each subscribe, and emits before `subscribe` returns. */
function once<T>(work: () => T): Observable<T> {
  return new Observable((out) => {
    let value: T;
    try {
      value = work();
    } catch (error) {
      out.error(error);
      return;
    }
    out.next(value);
    out.complete();
  });
}

/** The bytes of a range, as views. */
function cut(chunks: readonly Uint8Array[], { start, end = Infinity }: ByteRange): Uint8Array[] {
  if (start < 0 || end < start)
    throw new StoreError('InvalidRequest', `The range ${start} to ${end} is not a range.`);
  const out: Uint8Array[] = [];
  let offset = 0;
  for (const chunk of chunks) {
    const from = Math.max(start - offset, 0);
    const to = Math.min(end - offset, chunk.length);
    if (from < to) out.push(chunk.subarray(from, to));
    offset += chunk.length;
  }
  return out;
}
