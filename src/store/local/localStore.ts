/**
 * A crash-safe store on a directory, with the semantics of S3.
 *
 * Objects are plain files that any program can read, at the path of their key (`names.ts`); files of other programs are
 * objects, too. ETags, metadata and uploads are in a directory `.millrace` next to them, so a directory can be moved, and any
 * parent directory can be opened as the store. Other entries (a pipe, a dangling link, a name that is not UTF-8) make a
 * listing fail, or are reported by it.
 *
 * - A create-only put is one `link(2)`: one of any number of processes wins, and none waits (`objectFiles.ts`).
 * - Replacing and removing require the object's lock, which is released if its process dies (`lock.ts`).
 * - Nothing partial is ever visible. The next process that writes to a directory removes what a crash left (`cleanUp.ts`).
 * - An upload's Complete is one rename, and its id works once (`uploadFiles.ts`).
 *
 * It requires a local POSIX file system with case-sensitive names and sub-second times, and processes in one PID namespace. A
 * process that is paused while it holds a lock makes others wait for that object, up to 10 s, then `Throttled`.
 */
import { resolve } from 'node:path';
import type { Observable } from 'rxjs';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { formatUri } from '../../path/index.js';
import { checkDescription, descriptionOf, inherited } from '../description.js';
import { StoreError } from '../errors.js';
import { awsMinimumPartSize, checkBucket, checkKey, md5 } from '../helpers.js';
import type {
  ByteRange,
  CopyOptions,
  CreatedUpload,
  DeleteFailure,
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
import { absent, nodeDisk, orUndone, unless, type Disk } from './disk.js';
import { io, unpublished } from './io.js';
import { listTree } from './listing.js';
import { ObjectFiles, type Sidecar } from './objectFiles.js';
import { readRange } from './read.js';
import { Tree, type Place } from './tree.js';
import { UploadFiles } from './uploadFiles.js';
import { Uploads } from './uploads.js';

export interface LocalStoreOptions {
  /** The clock of `modified` and `initiated`. Default: the machine's clock. */
  readonly clock?: Pick<Clock, 'now'>;
  /** The minimum size of every part but the last. Bytes. Default 5 MiB, as on AWS. */
  readonly minimumPartSize?: number;
  /** Whether Complete may leave uploaded parts out. Default `true`. */
  readonly completeSubset?: boolean;
  /** Whether completed writes survive a power failure (fsync), not only `kill -9`. Default `true`. */
  readonly durable?: boolean;
  /** The file system; for tests. */
  readonly disk?: Disk;
}

const names: OptionNames<LocalStoreOptions> = {
  clock: true,
  minimumPartSize: true,
  completeSubset: true,
  durable: true,
  disk: true,
};

/**
 * Opens an existing directory as a store.
 *
 * @example
 * ```ts
 * const store = createLocalStore('/tmp/lake');
 * ```
 */
export function createLocalStore(directory: string, options: LocalStoreOptions = {}): ObjectStore {
  checkOptions('createLocalStore', options, names);
  return new LocalStore(resolve(directory), options);
}

class LocalStore implements ObjectStore {
  readonly uri: string;
  readonly #bucket: string;
  readonly #tree: Tree;
  readonly #files: ObjectFiles;
  readonly #uploads: Uploads;
  readonly #uploadFiles: UploadFiles;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #disk: Disk;

  constructor(root: string, options: LocalStoreOptions) {
    const { minimumPartSize = awsMinimumPartSize, completeSubset = true, clock = systemClock } = options;
    const [bucket = '', ...rest] = root.slice(1).split('/');
    this.uri = formatUri({ scheme: 'file', bucket, key: rest.join('/') }).replace(/\/$/, '');
    this.#bucket = root.slice(1);
    this.#clock = clock;
    this.#disk = options.disk ?? nodeDisk(options.durable ?? true);
    this.#tree = new Tree(root === '/' ? '' : root, this.#disk);
    this.#files = new ObjectFiles(this.#disk);
    this.#uploadFiles = new UploadFiles(this.#disk, this.#files, minimumPartSize, completeSubset);
    this.#uploads = new Uploads(this.#tree, this.#disk, this.#uploadFiles, clock);
  }

  head(key: string, options: { readonly ifMatch?: string } = {}): Observable<ObjectInfo> {
    return io(this.uri, () => this.#info(key, options.ifMatch));
  }

  get(key: string, options: GetOptions = {}): Observable<ObjectBody> {
    return io(this.uri, (live) => this.#read(key, options, live));
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Observable<PutResult> {
    return io(this.uri, async (live) => {
      checkKey(key);
      checkDescription(options);
      const copy = Buffer.from(body); // the caller may reuse the buffer
      const place = await unpublished(this.uri, () => this.#tree.prepare(key));
      live();
      const { ifNoneMatch, ifMatch, copyOf } = options;
      if (ifNoneMatch !== undefined && (await this.#found(key)) !== undefined) throw this.#exists(key);
      return this.#write(
        place,
        copy,
        { ...descriptionOf(options), etag: copyOf ?? md5(copy) },
        live,
        async (path) => {
          if (ifNoneMatch !== undefined) {
            if (!(await this.#files.createOnly(place, path))) throw this.#exists(key);
            return 'linked';
          }
          if (ifMatch === undefined && (await this.#files.createFirst(place, path))) return 'linked';
          await this.#tree.locked(place, async () => {
            if (ifMatch !== undefined) await this.#info(key, ifMatch);
            live();
            await this.#uploadFiles.finishCompleted(place);
            await this.#files.replace(place, path);
          });
          return 'moved';
        },
      );
    });
  }

  list(options: ListOptions): Observable<ListPage> {
    return io(this.uri, async () => {
      const date = this.#clock.now();
      return { ...(await listTree(this.#tree, this.#files, options)), date };
    });
  }

  delete(keys: readonly string[]): Observable<readonly DeleteFailure[]> {
    return io(this.uri, async (live) => {
      const failures: DeleteFailure[] = [];
      for (const key of keys) {
        live();
        try {
          await this.#remove(key);
        } catch (error) {
          failures.push({ key, error: error instanceof Error ? error : new Error(String(error)) });
        }
      }
      return failures;
    });
  }

  copy(from: string, to: string, options: CopyOptions = {}): Observable<PutResult> {
    return io(this.uri, async (live) => {
      checkKey(to);
      checkBucket(this.uri, this.#bucket, options);
      const source = await this.#read(from, options, live);
      const { etag } = source.info;
      const place = await unpublished(this.uri, () => this.#tree.prepare(to));
      const kept = etag.startsWith('file-') ? md5(Buffer.concat(source.chunks)) : etag;
      return this.#write(
        place,
        Buffer.concat(source.chunks),
        { ...inherited(source.info), etag: kept },
        live,
        async (path) => {
          await this.#tree.locked(place, async () => {
            await this.#uploadFiles.finishCompleted(place);
            await this.#files.replace(place, path);
          });
          return 'moved';
        },
      );
    });
  }

  createUpload(key: string, options: UploadOptions = {}): Observable<CreatedUpload> {
    return io(this.uri, async () => {
      checkKey(key);
      checkDescription(options);
      return this.#uploads.create(key, options);
    });
  }

  uploadPart(key: string, uploadId: string, number: number, body: Uint8Array): Observable<UploadedPart> {
    return io(this.uri, (live) => this.#uploads.add(key, uploadId, number, Buffer.from(body), live));
  }

  copyPart(
    key: string,
    uploadId: string,
    number: number,
    from: CopyOptions & { readonly key: string; readonly range?: ByteRange },
  ): Observable<UploadedPart> {
    return io(this.uri, async (live) => {
      checkBucket(this.uri, this.#bucket, from);
      const { chunks } = await this.#read(from.key, from, live);
      return this.#uploads.add(key, uploadId, number, Buffer.concat(chunks), live);
    });
  }

  listParts(
    key: string,
    uploadId: string,
    after = 0,
  ): Observable<{ readonly parts: readonly UploadedPart[]; readonly next?: number }> {
    return io(this.uri, () => this.#uploads.parts(key, uploadId, after));
  }

  listUploads(options: { readonly prefix: string; readonly after?: UploadCursor }): Observable<UploadPage> {
    return io(this.uri, (live) => this.#uploads.list(options.prefix, options.after, live));
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string } = {},
  ): Observable<PutResult> {
    return io(this.uri, (live) => {
      const check = async (): Promise<void> => {
        if (options.ifMatch !== undefined) await this.#info(key, options.ifMatch);
        live();
      };
      const occupied = options.ifNoneMatch === undefined ? undefined : () => this.#exists(key);
      return this.#uploads.complete(key, uploadId, parts, check, occupied);
    });
  }

  abortUpload(key: string, uploadId: string): Observable<void> {
    return io(this.uri, () => this.#uploads.abort(key, uploadId));
  }

  async #info(key: string, ifMatch: string | undefined): Promise<ObjectInfo> {
    const info = await this.#found(key);
    if (info === undefined) throw await this.#missing(key);
    this.#check(info, ifMatch);
    return info;
  }

  async #found(key: string): Promise<ObjectInfo | undefined> {
    for (const place of await this.#tree.find(key)) {
      const info = await this.#files.info(place);
      if (info !== undefined) return info;
    }
    return undefined;
  }

  async #read(key: string, options: GetOptions, live: () => void): Promise<ObjectBody> {
    for (const place of await this.#tree.find(key)) {
      const opened = await this.#files.open(place);
      if (opened === undefined) continue;
      const { file, info } = opened;
      try {
        this.#check(info, options.ifMatch);
        return { info, ...(await readRange(file, info, options, live)) };
      } finally {
        await file.close();
      }
    }
    throw await this.#missing(key);
  }

  async #write(
    place: Place,
    body: Uint8Array,
    description: Sidecar,
    live: () => void,
    publish: (path: string) => Promise<'linked' | 'moved'>,
  ): Promise<PutResult> {
    const path = this.#files.temporary(place);
    const how = await orUndone(
      async () => {
        await unpublished(path, async () => {
          try {
            await this.#files.write(place, path, body, description, this.#clock.now());
          } catch (error) {
            throw await this.#tree.ifRemoved(place.directory, error);
          }
        });
        live();
        return await publish(path);
      },
      () => this.#files.discard(place, path),
    );
    if (how === 'linked') await unless(absent, this.#disk.unlink(path));
    return { etag: description.etag };
  }

  async #remove(key: string): Promise<void> {
    for (const place of await this.#tree.find(key)) {
      if ((await this.#files.info(place)) === undefined && !(await this.#files.isBrokenLink(place))) continue;
      await this.#tree.prepareAt(place); // for the lock and the temporary file
      await this.#tree.locked(place, async () => {
        await this.#uploadFiles.finishCompleted(place);
        await this.#files.remove(place);
      });
    }
  }

  #check(info: ObjectInfo, ifMatch: string | undefined): void {
    if (ifMatch === undefined || info.etag === ifMatch) return;
    throw new StoreError(
      'PreconditionFailed',
      `${this.uri}/${info.key} has changed: it no longer has the requested ETag.`,
      { status: 412 },
    );
  }

  #exists(key: string): StoreError {
    return new StoreError('AlreadyExists', `${this.uri}/${key} already exists.`, { status: 412 });
  }

  async #missing(key: string): Promise<StoreError> {
    await this.#tree.checkRoot();
    const link = await this.#tree.brokenLink(key);
    if (link !== undefined) return new StoreError('NotFound', link.message, { status: 404 });
    return new StoreError('NotFound', `${this.uri}/${key} does not exist.`, { status: 404 });
  }
}
