import type { UploadedPart } from '../objectStore.js';

/** An upload, created with its first part. */
export interface Upload {
  /** `undefined` until it is created. */
  uploadId: string | undefined;
  /** Parts that have arrived, at index number − 1. */
  readonly parts: UploadedPart[];
}

export interface QueuedPart<U extends Upload> {
  readonly upload: U;
  /** 1, 2, … */
  readonly number: number;
  /** Bytes. */
  readonly size: number;
  /** Bytes of memory that it takes, waiting or in flight. Set only by {@link PartQueue.hold}. */
  held: number;
  /** Called when it has arrived. */
  done(): void;
}

/** How parts are sent. Errors do not reach the queue: their receiver stops it. */
export interface Sending<U extends Upload, P extends QueuedPart<U>> {
  /** Concurrent uploads of parts of `partSize`. A smaller part counts by its size, but at least an eighth. */
  readonly inFlight: number;
  /** Bytes. */
  readonly partSize: number;
  create(upload: U, created: (uploadId: string) => void): void;
  send(part: P, uploadId: string, arrived: (part: Pick<UploadedPart, 'etag'>) => void): void;
  /** Whether there is memory for sending the part. Not called if nothing else is in flight. */
  mayStart?(part: P): boolean;
  /** Called before the part is sent. */
  started?(part: P): void;
}

/**
 * Sends parts of one or many uploads in the order in which they were added, several at once. The first part of an upload
 * creates it. Other parts of that upload are set aside meanwhile, so that they do not hold up those of other uploads.
 */
export class PartQueue<U extends Upload, P extends QueuedPart<U>> {
  #waiting: P[] = [];
  #head = 0;
  /** The number of parts in flight. */
  #inFlight = 0;
  /** The sum of their weights. Reset with the first part, because fractions do not cancel out exactly. */
  #load = 0;
  #held = 0;
  #size = 0;
  /** Parts of uploads that are being created. */
  readonly #aside = new Map<U, P[]>();

  constructor(private readonly sending: Sending<U, P>) {}

  /** Bytes of memory that parts take, waiting or in flight. */
  get held(): number {
    return this.#held;
  }

  /** The number of parts waiting or in flight. */
  get size(): number {
    return this.#size;
  }

  add(part: P): void {
    this.#size++;
    this.#held += part.held;
    this.#waiting.push(part);
    this.#pump();
  }

  /** Sets the memory that a part takes. */
  hold(part: P, bytes: number): void {
    this.#held += bytes - part.held;
    part.held = bytes;
  }

  /** Drops the parts that are not in flight. */
  clear(): void {
    this.#waiting = [];
    this.#head = 0;
    this.#aside.clear();
  }

  #pump(): void {
    for (;;) {
      const part = this.#waiting[this.#head];
      if (part === undefined) break;
      const { upload } = part;
      const aside = upload.uploadId === undefined ? this.#aside.get(upload) : undefined;
      if (aside === undefined && !this.#mayStart(part)) break;
      this.#head++;
      if (aside === undefined) this.#start(part);
      else aside.push(part);
    }
    if (this.#head === this.#waiting.length || this.#head > 1024) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #mayStart(part: P): boolean {
    if (this.#inFlight === 0) return true;
    const room = this.sending.mayStart?.(part) ?? true;
    return room && this.#load + this.#weight(part) <= this.sending.inFlight;
  }

  #weight({ size }: P): number {
    return Math.max(1 / 8, Math.min(1, size / this.sending.partSize));
  }

  #start(part: P): void {
    const { upload } = part;
    this.#load = this.#inFlight === 0 ? this.#weight(part) : this.#load + this.#weight(part);
    this.#inFlight++;
    this.sending.started?.(part);
    if (upload.uploadId !== undefined) {
      this.#send(part, upload.uploadId);
      return;
    }
    this.#aside.set(upload, []);
    this.sending.create(upload, (uploadId) => {
      upload.uploadId = uploadId;
      this.#send(part, uploadId);
      this.#waiting.splice(this.#head, 0, ...(this.#aside.get(upload) ?? []));
      this.#aside.delete(upload);
      this.#pump();
    });
  }

  #send(part: P, uploadId: string): void {
    this.sending.send(part, uploadId, ({ etag }) => {
      const { upload, number, size } = part;
      upload.parts[number - 1] = { number, etag, size };
      this.#load -= this.#weight(part);
      this.#inFlight--;
      this.#size--;
      this.hold(part, 0);
      part.done();
      this.#pump();
    });
  }
}
