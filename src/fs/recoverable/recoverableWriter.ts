import {
  catchError,
  concatMap,
  defer,
  from,
  lastValueFrom,
  map,
  of,
  throwError,
  type Observable,
} from 'rxjs';
import { MillraceError } from '../../errors.js';
import type { Allow, Clock } from '../../flow/index.js';
import { hideUserInfo, uriBelow } from '../../path/index.js';
import type { Size } from '../../config/units.js';
import { descriptionOf } from '../../store/description.js';
import { isStoreError } from '../../store/errors.js';
import { listAll } from '../../store/helpers.js';
import {
  ForeignObject,
  LostUpload,
  notOurs,
  publishSealed,
  readTail,
  tailLength,
} from '../../store/multipart/index.js';
import type { ObjectDescription, ObjectStore } from '../../store/objectStore.js';
import type { StoreLocation } from '../../store/services.js';
import { promisedWith } from '../promises/promised.js';
import { markOfFile, OpenRecoverable, type RecoverableFile } from './recoverableFile.js';
import { decodeState, encodeState, isName, tailsOf, type Bounds, type FileState } from './state.js';
import { InvalidOption } from '../../config/units.js';

/** Options of a file. Without a type in `content`, it has one by the extension of its name. */
export interface OpenFileOptions extends ObjectDescription {
  /** When aborted, pending calls of the file and all later ones fail with an `AbortError`. Close the file afterwards. */
  readonly signal?: AbortSignal;
}

export interface CommitOptions {
  /**
   * If neither the upload nor the object exists: fail with `LostUpload`, or accept that it was committed, and that a consumer
   * has removed it. Default `'error'`.
   */
  readonly onMissingCommitted?: 'error' | 'accept';
  readonly signal?: AbortSignal;
}

export interface CommittedFile {
  /** Without user info. */
  readonly uri: string;
  /** Bytes. */
  readonly size: number;
  /** `undefined` if it was removed before, and that was accepted. */
  readonly etag: string | undefined;
}

/** Writes files below one folder that survive the crash of their writer. */
export interface RecoverableWriter extends AsyncDisposable {
  /** The folder. Without user info. */
  readonly uri: string;
  /**
   * Begins a file. `name` is its path below the folder, and outside of that of the tails. No other writer may use it: a commit replaces an object that is there.
   * Errors: `InvalidOption`, `WriterClosed`.
   */
  open(name: string, options?: OpenFileOptions): Promise<RecoverableFile>;
  /**
   * Seals a file at its resumable: returns the committable of what was persisted. What was written later is left out. Makes no
   * request. Errors: `InvalidRecoverable`, `ForeignName`.
   */
  recover(resumable: string): string;
  /**
   * Publishes a file, idempotently, in this process or any other. Errors: `InvalidRecoverable`, `ForeignName`, `ForeignObject`,
   * `LostUpload`, `LostJournal`, `CorruptJournal`, and those of the store.
   */
  commit(committable: string, options?: CommitOptions): Promise<CommittedFile>;
  /**
   * Removes what a resumable keeps beside the file: call it when none of your checkpoints has that resumable any more. With the
   * committable of a committed file, removes all that its resumables kept. Idempotent. Errors: as of `commit`.
   */
  cleanup(state: string): Promise<void>;
  /** Gives up a file that is not to be committed: aborts its upload, and removes all that was kept beside it. Idempotent. */
  abandon(state: string): Promise<void>;
  /** Closes all open files, and the connections that were opened here. Idempotent. */
  close(): Promise<void>;
}

/** What a writer uses. */
export interface WriterServices {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly allow: Allow;
  readonly partSize: Size;
  readonly inFlight: number;
  /** Up to this many bytes of a tail are in the resumable itself. */
  readonly inlineTail: number;
  /** Called when it is closed. */
  readonly onClose: () => void;
}

export class FolderWriter implements RecoverableWriter {
  readonly uri: string;
  readonly #files: StoreLocation;
  readonly #tailStore: ObjectStore;
  readonly #bounds: Bounds;
  /** The folder of tails, if it is in that of the files. */
  readonly #tailsBelow: string | undefined;
  readonly #services: WriterServices;
  readonly #open = new Set<RecoverableFile>();
  #closed: Promise<void> | undefined;

  /** @param tails where tails are kept; default: the folder `.millrace-tails` in that of the files */
  constructor(files: StoreLocation, tails: StoreLocation | undefined, services: WriterServices) {
    const prefix = folderOf(files.key);
    const tailFolder = tails === undefined ? `${prefix}.millrace-tails/` : folderOf(tails.key);
    this.uri = hideUserInfo(uriBelow(files.store.uri, prefix));
    this.#files = files;
    this.#tailStore = (tails ?? files).store;
    this.#bounds = { store: files.store.uri, prefix, tails: tailFolder };
    const below = this.#tailStore.uri === files.store.uri && tailFolder.length > prefix.length;
    this.#tailsBelow = below && tailFolder.startsWith(prefix) ? tailFolder : undefined;
    this.#services = services;
  }

  async open(name: string, { signal, ...description }: OpenFileOptions = {}): Promise<RecoverableFile> {
    this.#check();
    // A leading slash would be an empty name: on a disk, the file would be among the keys that are no paths.
    if (typeof name !== 'string' || name.startsWith('/') || !isName(name))
      throw new InvalidOption(
        'open: name',
        name,
        "a path below the folder, without a slash at its ends and without '.' or '..' as a name",
      );
    const { prefix } = this.#bounds;
    const inTails = this.#tailsBelow !== undefined && (prefix + name).startsWith(this.#tailsBelow);
    if (inTails) throw new InvalidOption('open: name', name, 'outside of the folder of tails');
    const capabilities = await promisedWith(this.#files.capabilities, same, signal);
    if (capabilities === undefined) throw new TypeError('The store has no capabilities.');
    this.#check();
    const file = new OpenRecoverable(
      {
        ...this.#services,
        store: this.#files.store,
        tailStore: this.#tailStore,
        key: prefix + name,
        uri: hideUserInfo(uriBelow(this.#bounds.store, prefix + name)),
        bounds: this.#bounds,
        capabilities,
        description: descriptionOf(description),
        signal,
      },
      () => this.#open.delete(file),
    );
    this.#open.add(file);
    return file;
  }

  recover(resumable: string): string {
    return encodeState({ ...decodeState(resumable, ['resumable'], this.#bounds), kind: 'committable' });
  }

  async commit(committable: string, options: CommitOptions = {}): Promise<CommittedFile> {
    this.#check();
    const { onMissingCommitted = 'error', signal } = options;
    const file = decodeState(committable, ['committable'], this.#bounds);
    return (await promisedWith(this.#publish(file, onMissingCommitted), same, signal)) as CommittedFile;
  }

  async cleanup(state: string): Promise<void> {
    this.#check();
    const file = decodeState(state, ['resumable', 'committable'], this.#bounds);
    const own = file.tail?.ranges.map(({ journal }) => journal) ?? [];
    await finished(file.kind === 'committable' ? this.#removeTails(file) : this.#remove(own));
  }

  async abandon(state: string): Promise<void> {
    this.#check();
    const file = decodeState(state, ['resumable', 'committable'], this.#bounds);
    await finished(this.#files.store.abortUpload(file.key, file.uploadId));
    await finished(this.#removeTails(file));
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#open].map((file) => file.close()));
    this.#services.onClose();
  }

  #publish(file: FileState, onMissing: 'error' | 'accept'): Observable<CommittedFile> {
    const { key, uploadId, parts, size } = file;
    const { store } = this.#files;
    const uri = hideUserInfo(uriBelow(store.uri, key));
    return this.#tail(file).pipe(
      concatMap((tail) => {
        const mark = markOfFile(file);
        return publishSealed({ store, key, uploadId, mark, size, parts, tail }, this.#services);
      }),
      map((outcome): CommittedFile => {
        if (outcome.is === 'ours') return { uri, size, etag: outcome.etag };
        if (outcome.is === 'foreign') throw new ForeignObject(uri, outcome.why, outcome.error, foreignAdvice);
        if (onMissing === 'accept') return { uri, size, etag: undefined };
        throw new LostUpload(uri, file, outcome.error);
      }),
      catchError((error: unknown) => {
        // Its tail may be removed once it is committed.
        const tailGone = error instanceof MillraceError && error.code === 'LostJournal';
        return tailGone ? this.#committedBefore(file, uri, error) : throwError(() => error);
      }),
    );
  }

  /** The bytes that are uploaded as the last part. A file without bytes has an empty one. */
  #tail({ parts, tail }: FileState): Observable<Buffer | undefined> {
    if (tail !== undefined && tailLength(tail) > 0)
      return readTail(tail, { store: this.#tailStore, key: (name) => name });
    return of(parts.length === 0 ? Buffer.alloc(0) : undefined);
  }

  #committedBefore(file: FileState, uri: string, error: unknown): Observable<CommittedFile> {
    const { key, parts, size, tail } = file;
    const identity = { mark: markOfFile(file), size, parts: tail === undefined ? parts : [] };
    return this.#files.store.head(key).pipe(
      catchError((failure: unknown) =>
        throwError(() => (isStoreError(failure, 'NotFound') ? error : failure)),
      ),
      map((object) => {
        if (notOurs(object, identity) !== undefined) throw error;
        return { uri, size, etag: object.etag };
      }),
    );
  }

  #removeTails({ putId }: FileState): Observable<unknown> {
    return listAll(this.#tailStore, tailsOf(this.#bounds.tails, putId)).pipe(
      concatMap((page) => this.#remove(page.map(({ key }) => key))),
    );
  }

  #remove(keys: readonly string[]): Observable<unknown> {
    if (keys.length === 0) return from([]);
    return defer(() => this.#tailStore.delete(keys)).pipe(
      map(([failure]) => {
        if (failure !== undefined) throw failure.error;
      }),
    );
  }

  #check(): void {
    if (this.#closed !== undefined)
      throw new MillraceError('WriterClosed', `The writer of ${this.uri} is closed. Open a new one.`);
  }
}

const foreignAdvice =
  'If the file was committed before, from another of its resumables or its committable, that commit counts, and this one is stale: drop it. Otherwise move that object away, keep other writers out of the folder, and commit again.';

function folderOf(key: string): string {
  const folder = key.replace(/\/+$/, '');
  return folder === '' ? '' : `${folder}/`;
}

const same = (error: unknown): unknown => error;

async function finished(work: Observable<unknown>): Promise<void> {
  await lastValueFrom(work, { defaultValue: undefined });
}
