import {
  concatMap,
  defer,
  EMPTY,
  ignoreElements,
  Observable,
  ReplaySubject,
  Subscription,
  type Observer,
} from 'rxjs';
import type { ObjectStore, UploadedPart, UploadOptions } from '../../store/objectStore.js';
import type { Part } from './partBuffer.js';

export interface MultipartOptions extends UploadOptions {
  /** Parts under way at once. */
  readonly inFlight: number;
  /** Bytes that may be waiting or under way before writers have to wait; a single part may exceed it. */
  readonly budget: number;
}

/** The parts of one upload, several under way at once. The upload is created with the first. */
export class MultipartUpload {
  readonly #options: MultipartOptions;
  readonly #created = new ReplaySubject<string>(1);
  readonly #requests = new Subscription();
  readonly #uploaded: UploadedPart[] = [];
  /** Not under way yet. */
  readonly #queue: Part[] = [];
  #uploadId: string | undefined;
  #creating = false;
  #underWay = 0;
  /** Bytes waiting or under way. */
  #held = 0;
  #failed: { readonly error: unknown } | undefined;
  #waiting: (() => void)[] = [];

  constructor(
    readonly store: ObjectStore,
    readonly key: string,
    options: MultipartOptions,
  ) {
    this.#options = options;
  }

  /** Known once a part is uploaded. */
  get uploadId(): string | undefined {
    return this.#uploadId;
  }

  add(part: Part): void {
    this.#queue.push(part);
    this.#held += part.bytes.length;
    this.#create();
    this.#pump();
  }

  /** Completes when more parts may be added; fails when one has failed. */
  room(): Observable<never> {
    const { budget } = this.#options;
    return this.#when(() => this.#held <= budget || this.#underWay + this.#queue.length <= 1);
  }

  /** Completes when all parts are uploaded. */
  idle(): Observable<never> {
    return this.#when(() => this.#held === 0 && this.#underWay + this.#queue.length === 0);
  }

  /** In their order; complete when `idle`. */
  get parts(): readonly UploadedPart[] {
    return this.#uploaded;
  }

  /** Stops at once. Completes when the upload is gone; one that is just being created is waited for. */
  abort(): Observable<never> {
    return defer(() => {
      this.#requests.unsubscribe();
      this.#queue.length = 0;
      if (!this.#creating) return EMPTY;
      return this.#created.pipe(
        concatMap((uploadId) => this.store.abortUpload(this.key, uploadId)),
        ignoreElements(),
      );
    });
  }

  /** Not aborted with the rest: an upload that is created unseen would be left behind. */
  #create(): void {
    if (this.#creating) return;
    this.#creating = true;
    const { metadata, content } = this.#options;
    const described = { ...(metadata && { metadata }), ...(content && { content }) };
    this.store.createUpload(this.key, described).subscribe({
      next: ({ uploadId }) => {
        this.#uploadId = uploadId;
        this.#created.next(uploadId);
        this.#pump();
      },
      error: (error: unknown) => {
        this.#fail(error);
        this.#created.complete();
      },
      complete: () => {
        this.#created.complete();
      },
    });
  }

  #pump(): void {
    const uploadId = this.#uploadId;
    if (uploadId === undefined) return;
    while (this.#underWay < this.#options.inFlight && !this.#requests.closed) {
      const part = this.#queue.shift();
      if (part === undefined) return;
      this.#underWay++;
      this.#requests.add(
        this.store.uploadPart(this.key, uploadId, part.number, part.bytes).subscribe(this.#answer(part)),
      );
    }
  }

  #answer(part: Part): Partial<Observer<UploadedPart>> {
    return {
      next: (uploaded) => {
        this.#uploaded[part.number - 1] = uploaded;
        this.#underWay--;
        this.#held -= part.bytes.length;
        part.done();
        this.#pump();
        this.#wake();
      },
      error: (error: unknown) => this.#fail(error),
    };
  }

  #fail(error: unknown): void {
    this.#failed ??= { error };
    this.#wake();
  }

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
