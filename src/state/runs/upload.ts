import { randomUUID } from 'node:crypto';
import { concat, defer, map, type Observable } from 'rxjs';
import {
  etagOf,
  marked,
  markOf,
  MultipartUpload,
  publish,
  type Publishing,
} from '../../store/multipart/index.js';

/** Where an object is to be written, and what it takes to wait for a doubtful answer. */
export type UploadTarget = Pick<Publishing, 'store' | 'key' | 'clock' | 'random'>;

/**
 * Writes one immutable object of unknown size: with a single PUT if it fits into one part, otherwise with a multipart
 * upload, part by part. So memory is bounded by one part, and a small object costs one request.
 *
 * Names are never reused, so the PUT needs no condition, and can safely be repeated if its outcome is in doubt.
 */
export class ObjectUpload {
  readonly #target: UploadTarget;
  readonly #partSize: number;
  readonly #putId = randomUUID();
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #size = 0;
  #upload: MultipartUpload | undefined;
  #cut = 0;
  /** Requests made so far, but for those that clear up a doubt. */
  requests = 0;

  constructor(target: UploadTarget, partSize: number) {
    this.#target = target;
    this.#partSize = partSize;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    this.#size += chunk.length;
  }

  /** More than one part is buffered: wait for {@link flush} before the next push. */
  get due(): boolean {
    return this.#buffered > this.#partSize;
  }

  /** Uploads what is buffered as a part. */
  flush(): Observable<never> {
    return defer(() => {
      const upload = (this.#upload ??= this.#create());
      this.requests++;
      upload.add({ number: ++this.#cut, bytes: this.#take() });
      return upload.idle();
    });
  }

  /** Uploads the rest and publishes the object. */
  finish(): Observable<unknown> {
    return defer(() => {
      const upload = this.#upload;
      return upload === undefined ? this.#put() : concat(this.flush(), this.#complete(upload));
    });
  }

  /** Gives up a multipart upload; needs no request if there is none. */
  abort(): Observable<never> | undefined {
    return this.#upload?.abort();
  }

  #put(): Observable<unknown> {
    const { store, key } = this.#target;
    this.requests++;
    return store.put(key, this.#take());
  }

  #create(): MultipartUpload {
    const { store, key } = this.#target;
    this.requests++;
    return new MultipartUpload(store, key, {
      ...marked({}, this.#putId),
      inFlight: 1,
      partSize: this.#partSize,
    });
  }

  #complete(upload: MultipartUpload): Observable<unknown> {
    return defer(() => {
      const { uploadId = '', parts } = upload;
      const { store, key } = this.#target;
      const identity = { mark: markOf(this.#putId), size: this.#size, parts };
      const request = defer(() => {
        this.requests++;
        return store.completeUpload(key, uploadId, parts);
      });
      return publish({ ...this.#target, uploadId, identity, exclusive: true }, request).pipe(map(etagOf));
    });
  }

  #take(): Uint8Array {
    const body = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#buffered = 0;
    return body ?? Buffer.alloc(0);
  }
}
