import { concatMap, defer, EMPTY, ignoreElements, Observable, ReplaySubject, Subscription } from 'rxjs';
import { descriptionOf } from '../description.js';
import type { ObjectStore, UploadedPart, UploadOptions } from '../objectStore.js';
import { PartQueue, type QueuedPart, type Upload } from './partQueue.js';

/** A part that is full, or the last. */
export interface Part {
  /** 1, 2, … */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** The part is uploaded: its memory is free for another. */
  readonly done?: () => void;
}

export interface MultipartOptions extends UploadOptions {
  /** Concurrent uploads of parts. */
  readonly inFlight: number;
  /** The minimum size of all parts but the last. Bytes. */
  readonly partSize: number;
  /** Bytes that parts in memory may take before another is added. Default `inFlight` parts of `partSize`. */
  readonly room?: () => number;
}

interface PartOf extends QueuedPart<MultipartUpload> {
  readonly bytes: Uint8Array;
}

/**
 * One upload, from its first part on. Callers can wait for its parts. An abort leaves nothing behind: it awaits the request that
 * creates the upload, since an upload whose id is unknown would stay.
 */
export class MultipartUpload implements Upload {
  /** Known once a part is uploaded. */
  uploadId: string | undefined;
  /** In their order; complete when `idle`. */
  readonly parts: UploadedPart[] = [];
  readonly #options: MultipartOptions;
  readonly #queue: PartQueue<MultipartUpload, PartOf>;
  #created: ReplaySubject<string> | undefined;
  readonly #requests = new Subscription();
  #failed: { readonly error: unknown } | undefined;
  #waiting: (() => void)[] = [];

  constructor(
    readonly store: ObjectStore,
    readonly key: string,
    options: MultipartOptions,
  ) {
    this.#options = options;
    this.#queue = new PartQueue({
      ...options,
      create: (_, created) => {
        this.#create(created);
      },
      send: ({ number, bytes }, uploadId, arrived) => {
        if (this.#requests.closed) return;
        this.#requests.add(
          store.uploadPart(key, uploadId, number, bytes).subscribe({
            next: (part) => {
              arrived(part);
              this.#wake();
            },
            error: this.#fail,
          }),
        );
      },
    });
  }

  add({ number, bytes, done = () => undefined }: Part): void {
    this.#queue.add({ upload: this, number, bytes, size: bytes.length, held: bytes.length, done });
  }

  /** Bytes of the parts in memory. */
  get held(): number {
    return this.#queue.held;
  }

  /** Completes when another part may be added: those in memory take at most `room`, or there is only one. Errors: that of a failed part. */
  room(): Observable<never> {
    const { inFlight, partSize, room = () => inFlight * partSize } = this.#options;
    return this.#when(() => this.#queue.held <= room() || this.#queue.size <= 1);
  }

  /** The room has grown. */
  roomGrew(): void {
    this.#wake();
  }

  /** Completes when all parts are uploaded. */
  idle(): Observable<never> {
    return this.#when(() => this.#queue.size === 0);
  }

  /** Creates the upload if no part has. Completes when it exists. Not while parts are being uploaded. */
  create(): Observable<never> {
    return defer(() => {
      if (this.#created === undefined)
        this.#create((uploadId) => {
          this.uploadId = uploadId;
          this.#wake();
        });
      return this.#when(() => this.uploadId !== undefined);
    });
  }

  /** Stops immediately. The upload stays, with the parts that have arrived. */
  stop(): void {
    this.#requests.unsubscribe();
    this.#queue.clear();
  }

  /** Stops immediately. Completes when the upload is gone; if it is being created, that is awaited. */
  abort(): Observable<never> {
    return defer(() => {
      this.stop();
      return this.#created ?? EMPTY;
    }).pipe(
      concatMap((uploadId) => this.store.abortUpload(this.key, uploadId)),
      ignoreElements(),
    );
  }

  #create(created: (uploadId: string) => void): void {
    const answer = (this.#created = new ReplaySubject<string>(1));
    this.store.createUpload(this.key, descriptionOf(this.#options)).subscribe({
      next: ({ uploadId }) => {
        answer.next(uploadId);
        created(uploadId);
      },
      error: (error: unknown) => {
        this.#fail(error);
        answer.complete();
      },
      complete: () => {
        answer.complete();
      },
    });
  }

  readonly #fail = (error: unknown): void => {
    this.#failed ??= { error };
    this.#wake();
  };

  #when(ready: () => boolean): Observable<never> {
    return new Observable((out) => {
      const check = (): void => {
        if (out.closed) return;
        if (this.#failed !== undefined) out.error(this.#failed.error);
        else if (ready()) out.complete();
        else this.#waiting.push(check);
      };
      check();
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const check of waiting) check();
  }
}
