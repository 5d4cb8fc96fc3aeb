import { randomUUID } from 'node:crypto';
import { catchError, concat, defer, EMPTY, lastValueFrom, map, of, type Observable } from 'rxjs';
import { MillraceError } from '../../errors.js';
import type { Allow } from '../../flow/memory.js';
import { StoreError } from '../../store/errors.js';
import { typeName } from '../../formats/typeName.js';
import { sha256 } from '../../store/helpers.js';
import { markOf, marked, type Tail } from '../../store/multipart/index.js';
import type { ObjectDescription, ObjectStore } from '../../store/objectStore.js';
import type { StoreCapabilities } from '../../store/services.js';
import type { Size } from '../../config/units.js';
import { promisedWith, abortError } from '../promises/promised.js';
import { describedContent, PartStream } from '../writer/index.js';
import { encodeState, tailsOf, type Bounds, type FileState, type StateKind } from './state.js';

export interface FileTarget {
  readonly store: ObjectStore;
  /** Where tails are. */
  readonly tailStore: ObjectStore;
  readonly key: string;
  readonly uri: string;
  readonly bounds: Bounds;
  readonly capabilities: StoreCapabilities;
  readonly allow: Allow;
  readonly partSize: Size;
  readonly inFlight: number;
  /** Up to this many bytes of a tail are in the resumable itself. */
  readonly inlineTail: number;
  readonly description: ObjectDescription;
  readonly signal: AbortSignal | undefined;
}

/** A file that is being written. Calls run one after the other; await each, so that memory stays bounded. */
export interface RecoverableFile extends AsyncDisposable {
  /** What it will be. Without user info. */
  readonly uri: string;
  /** Bytes written so far. */
  readonly size: number;
  /**
   * Appends bytes, or a string as UTF-8. Resolves when more may follow: parts that are being uploaded take their share of
   * memory at most. The bytes must not change before. Errors: `NotBytes`; those of the store, after which the file cannot be continued.
   */
  write(data: Uint8Array | string): Promise<void>;
  /**
   * Stores what was written so far, and resolves with its resumable. Errors: `NotSupported` on servers that cannot complete
   * an upload without its last parts: close a file there at each checkpoint.
   */
  persist(): Promise<string>;
  /** Uploads the rest, and resolves with the committable. The file is closed. */
  closeForCommit(): Promise<string>;
  /**
   * Frees the memory and aborts the requests; calls that are pending fail with an `AbortError`. The upload stays if `persist`
   * or `closeForCommit` has returned it, and is aborted otherwise. Idempotent.
   */
  close(): Promise<void>;
}

export class OpenRecoverable implements RecoverableFile {
  readonly #target: FileTarget;
  readonly #putId = randomUUID();
  readonly #stream: PartStream;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #onClose: () => void;
  #last: Promise<unknown> = Promise.resolve();
  #state: 'open' | 'closed' = 'open';
  /** A resumable or committable was returned: its upload is no longer ours to abort. */
  #named = false;
  #persisted: { readonly size: number; readonly resumable: string } | undefined;
  #tails = 0;
  /** Tails that no resumable names, as far as the caller knows. */
  readonly #unnamed = new Set<string>();
  #closed: Promise<void> | undefined;

  /** Throws `InvalidOption`. */
  constructor(target: FileTarget, onClose: () => void) {
    const { store, key, uri, allow, partSize, inFlight, description, capabilities, signal } = target;
    this.#target = target;
    this.#onClose = onClose;
    this.#stream = new PartStream(
      { store, key, uri, allow },
      {
        partSize,
        inFlight,
        least: capabilities.minimumPartSize,
        described: marked({ ...description, ...describedContent(key, description.content) }, this.#putId),
        who: 'a recoverable writer',
        check: () => this.#check(),
      },
    );
    this.#signal = signal === undefined ? this.#ended.signal : AbortSignal.any([signal, this.#ended.signal]);
  }

  get uri(): string {
    return this.#target.uri;
  }

  get size(): number {
    return this.#stream.size;
  }

  write(data: Uint8Array | string): Promise<void> {
    if (typeof data !== 'string' && !((data as unknown) instanceof Uint8Array))
      return Promise.reject(
        new MillraceError(
          'NotBytes',
          `${this.uri}: write takes a Uint8Array or a string, not a value of type ${typeName(data)}.`,
        ),
      );
    const own = typeof data === 'string';
    const bytes = own ? Buffer.from(data) : data;
    return this.#turn(() => concat(this.#stream.write(bytes, own), of(undefined)));
  }

  persist(): Promise<string> {
    return this.#turn(() => {
      if (!this.#target.capabilities.completeSubset) throw cannotPersist(this.uri);
      if (this.#persisted?.size === this.size) return of(this.#persisted.resumable);
      return concat(this.#arrived(), this.#keepTail()).pipe(
        map((tail) => {
          const resumable = this.#name('resumable', tail);
          this.#persisted = { size: this.size, resumable };
          return resumable;
        }),
      );
    });
  }

  closeForCommit(): Promise<string> {
    return this.#turn(() => {
      if (this.#stream.tail.length > 0) this.#stream.addRest();
      return concat(this.#arrived(), of(undefined)).pipe(
        map(() => {
          const committable = this.#name('committable', undefined);
          this.#state = 'closed';
          this.#stream.leave();
          return committable;
        }),
      );
    });
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    this.#ended.abort();
    this.#stream.drop();
    const { upload } = this.#stream;
    if (this.#named) upload.stop();
    // What fails here is left to housekeeping.
    else await lastValueFrom(upload.abort().pipe(catchError(() => EMPTY)), { defaultValue: undefined });
    const tails = [...this.#unnamed];
    if (tails.length > 0) {
      const removed = this.#target.tailStore.delete(tails).pipe(catchError(() => EMPTY));
      await lastValueFrom(removed, { defaultValue: undefined });
    }
    this.#onClose();
  }

  /** Completes when the upload exists, with all parts that were cut. */
  #arrived(): Observable<never> {
    const { upload } = this.#stream;
    return concat(upload.idle(), upload.create());
  }

  /** Stores the bytes that are in no part. */
  #keepTail(): Observable<Tail | undefined> {
    return defer(() => {
      const { tail } = this.#stream;
      const { bounds, tailStore, inlineTail } = this.#target;
      if (tail.length === 0) return of(undefined);
      if (tail.length <= inlineTail) return of({ ranges: [], inline: Buffer.from(tail) });
      const journal = `${tailsOf(bounds.tails, this.#putId)}${String(++this.#tails).padStart(6, '0')}`;
      const range = { journal, offset: 0, length: tail.length, sha256: sha256(tail) };
      this.#unnamed.add(journal);
      return tailStore.put(journal, tail).pipe(map(() => ({ ranges: [range], inline: undefined })));
    });
  }

  #name(kind: StateKind, tail: Tail | undefined): string {
    const { store, key } = this.#target;
    const { uploadId = '', parts } = this.#stream.upload;
    const state: FileState = {
      kind,
      store: store.uri,
      key,
      uploadId,
      putId: this.#putId,
      parts: parts.slice(),
      tail,
      size: this.size,
    };
    const text = encodeState(state);
    for (const { journal } of tail?.ranges ?? []) this.#unnamed.delete(journal);
    this.#named = true;
    return text;
  }

  /** Runs `work` after all earlier calls. */
  #turn<T>(work: () => Observable<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      this.#check();
      const done = promisedWith(defer(work), (error) => error, this.#signal);
      return (await done) as T;
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #check(): void {
    const { signal } = this.#target;
    if (signal?.aborted === true) throw abortError(signal);
    if (this.#state === 'closed')
      throw new MillraceError('WriterClosed', `The writer of ${this.uri} is closed. Open a new one.`);
  }
}

function cannotPersist(uri: string): StoreError {
  return new StoreError(
    'NotSupported',
    `${uri} cannot be persisted while it is open: this server refuses to complete an upload without its last parts. Call closeForCommit at each checkpoint, and open another file.`,
  );
}

/** The mark of a file in its metadata. */
export const markOfFile = ({ putId }: Pick<FileState, 'putId'>): ReturnType<typeof markOf> => markOf(putId);
