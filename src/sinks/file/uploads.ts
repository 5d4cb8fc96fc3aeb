import { concatMap, of } from 'rxjs';
import type { ObjectStore } from '../../store/objectStore.js';
import type { CheckpointData } from '../../store/services.js';
import { readRanges } from './journal.js';
import type { BufferPool } from '../../store/multipart/index.js';
import type { Request } from '../twoPhase/kind.js';
import type { OpenFile, PartCut } from './openFile.js';

/** The metadata that proves an object ours: the file's uid. */
export const uidMetadata = 'millrace-uid';

interface Job {
  readonly part: PartCut;
  readonly done: () => void;
}

/**
 * Uploads the parts of all files of a sink, in the order they were cut, several at once: `inFlight` parts of the base
 * size, or up to eight times as many small ones. The first part of a file creates its upload; the others of that
 * file wait aside meanwhile. A part whose beginning has left memory reads it back once its turn has come.
 */
export class PartUploads {
  readonly #queue: Job[] = [];
  #head = 0;
  #load = 0;
  #held = 0;
  /** Parts of files whose upload is being created. */
  readonly #aside = new Map<OpenFile, Job[]>();

  constructor(
    private readonly store: ObjectStore,
    private readonly data: CheckpointData,
    private readonly pool: BufferPool,
    private readonly request: Request,
    private readonly inFlight: number,
    private readonly partSize: number,
  ) {}

  /** Bytes of memory that parts take, waiting or under way. */
  get held(): number {
    return this.#held;
  }

  upload(part: PartCut, done: () => void): void {
    this.#held += part.memory?.length ?? 0;
    this.#queue.push({ part, done });
    this.#pump();
  }

  #pump(): void {
    for (;;) {
      const job = this.#queue[this.#head];
      if (job === undefined) break;
      const { file } = job.part;
      const aside = file.uploadId === undefined ? this.#aside.get(file) : undefined;
      if (aside === undefined && !this.#mayStart(job.part)) break;
      this.#head++;
      if (aside === undefined) this.#start(job);
      else aside.push(job);
    }
    if (this.#head === this.#queue.length || this.#head > 1024) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #mayStart(part: PartCut): boolean {
    if (this.#load === 0) return true;
    const room = part.spilled.length === 0 || this.pool.held + part.size <= this.pool.budget * 0.75;
    return room && this.#load + this.#weight(part) <= this.inFlight;
  }

  #weight(part: PartCut): number {
    return Math.max(1 / 8, Math.min(1, part.size / this.partSize));
  }

  #start(job: Job): void {
    const { file } = job.part;
    this.#load += this.#weight(job.part);
    const body = this.#body(job.part);
    if (file.uploadId !== undefined) {
      this.#send(job, body, file.uploadId);
      return;
    }
    this.#aside.set(file, []);
    const metadata = { [uidMetadata]: file.uid };
    this.request(this.store.createUpload(file.key, { metadata }), ({ uploadId }) => {
      file.uploadId = uploadId;
      this.#send(job, body, uploadId);
      this.#queue.splice(this.#head, 0, ...(this.#aside.get(file) ?? []));
      this.#aside.delete(file);
      this.#pump();
    });
  }

  #send(job: Job, body: Buffer, uploadId: string): void {
    const { part } = job;
    const { file, number, size, spilled } = part;
    const whole = spilled.length === 0 ? of(body) : readRanges(spilled, this.data, body);
    const request = whole.pipe(
      concatMap((bytes) => this.store.uploadPart(file.key, uploadId, number, bytes.subarray(0, size))),
    );
    this.request(request, ({ etag }) => {
      file.parts[number - 1] = { number, etag, size };
      this.#load -= this.#weight(part);
      this.#held -= body.length;
      this.pool.give(body);
      job.done();
      this.#pump();
    });
  }

  /** Memory for the whole part. What has left memory is read into its beginning later. */
  #body({ spilled, memory, size }: PartCut): Buffer {
    if (spilled.length === 0 && memory !== undefined) return memory;
    const body = this.pool.take(size);
    this.#held += size;
    if (memory !== undefined) {
      const dropped = spilled.reduce((sum, range) => sum + range.length, 0);
      memory.copy(body, dropped, 0, size - dropped);
      this.#held -= memory.length;
      this.pool.give(memory);
    }
    return body;
  }
}
