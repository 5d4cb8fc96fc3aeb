import { catchError, concat, defer, ignoreElements, map, tap, type Observable } from 'rxjs';
import { isStoreError } from '../store/errors.js';
import type { ObjectStore, UploadedPart } from '../store/objectStore.js';

/**
 * Writes one immutable object whose size is not known in advance: by a single PUT if it turns out to have at most
 * one part, otherwise by a multipart upload, one part after the other. So memory is bounded by one part, and what is
 * not larger costs one request.
 *
 * Names are never used twice, so the PUT needs no condition, and repeating it after a doubtful answer is safe.
 */
export class ObjectUpload {
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #partSize: number;
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #uploadId: string | undefined;
  readonly #parts: UploadedPart[] = [];
  /** Requests made so far. */
  requests = 0;
  /** The object is there. */
  published = false;

  constructor(store: ObjectStore, key: string, partSize: number) {
    this.#store = store;
    this.#key = key;
    this.#partSize = partSize;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
  }

  /** There is more than a part buffered: wait for {@link flush} before the next push. */
  get due(): boolean {
    return this.#buffered > this.#partSize;
  }

  /** Uploads what is buffered as a part. */
  flush(): Observable<unknown> {
    return this.#uploadId === undefined ? concat(this.#create(), this.#part()) : this.#part();
  }

  /** Uploads the rest and publishes the object. */
  finish(): Observable<unknown> {
    const publish =
      this.#uploadId === undefined ? this.#put() : concat(this.#part(), this.#complete(this.#uploadId));
    return publish.pipe(tap({ complete: () => (this.published = true) }));
  }

  /** Gives up a multipart upload; needs no request if there is none. */
  abort(): Observable<void> | undefined {
    return this.#uploadId === undefined ? undefined : this.#store.abortUpload(this.#key, this.#uploadId);
  }

  #put(): Observable<unknown> {
    return defer(() => {
      this.requests++;
      return this.#store.put(this.#key, this.#take());
    });
  }

  #create(): Observable<never> {
    return defer(() => {
      this.requests++;
      return this.#store.createUpload(this.#key);
    }).pipe(
      tap(({ uploadId }) => (this.#uploadId = uploadId)),
      ignoreElements(),
    );
  }

  #part(): Observable<unknown> {
    return defer(() => {
      this.requests++;
      return this.#store.uploadPart(this.#key, this.#uploadId ?? '', this.#parts.length + 1, this.#take());
    }).pipe(map((part) => this.#parts.push(part)));
  }

  #complete(uploadId: string): Observable<unknown> {
    return defer(() => {
      this.requests++;
      return this.#store.completeUpload(this.#key, uploadId, this.#parts);
    }).pipe(
      // A repeated Complete after a lost answer finds no upload any more; the name is ours alone, so is the object.
      catchError((error: unknown) => {
        if (!isStoreError(error, 'NotFound')) throw error;
        this.requests++;
        return this.#store.head(this.#key);
      }),
    );
  }

  #take(): Uint8Array {
    const body = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#buffered = 0;
    return body ?? Buffer.alloc(0);
  }
}
