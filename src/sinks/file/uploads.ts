import { concatMap, of } from 'rxjs';
import { PartQueue, readRanges, type BufferPool, type QueuedPart } from '../../store/multipart/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import type { CheckpointData } from '../../store/services.js';
import type { Request } from '../twoPhase/kind.js';
import { uploadOf } from './objectOptions.js';
import type { OpenFile, PartCut } from './openFile.js';

interface Job extends QueuedPart<OpenFile> {
  readonly cut: PartCut;
  /** Memory for the whole part, allocated when its turn comes. */
  body: Buffer;
}

const none = Buffer.alloc(0);

/**
 * Uploads the parts of all files of a sink, in the order they were cut. If the beginning of a part has left memory, it
 * is read back when the part's turn comes.
 */
export class PartUploads {
  readonly #queue: PartQueue<OpenFile, Job>;

  constructor(
    store: ObjectStore,
    data: CheckpointData,
    private readonly pool: BufferPool,
    request: Request,
    inFlight: number,
    partSize: number,
  ) {
    this.#queue = new PartQueue<OpenFile, Job>({
      inFlight,
      partSize,
      create: (file, created) => {
        request(store.createUpload(file.key, uploadOf(file)), ({ uploadId }) => {
          created(uploadId);
        });
      },
      mayStart: ({ cut, size }) => cut.spilled.length === 0 || pool.held + size <= pool.budget * 0.75,
      started: (job) => {
        job.body = this.#body(job.cut);
        this.#queue.hold(job, job.body.length);
      },
      send: ({ upload: { key }, number, size, cut: { spilled }, body }, uploadId, arrived) => {
        const whole = spilled.length === 0 ? of(body) : readRanges(spilled, data, body);
        const sent = concatMap((bytes: Buffer) =>
          store.uploadPart(key, uploadId, number, bytes.subarray(0, size)),
        );
        request(whole.pipe(sent), (part) => {
          pool.give(body);
          arrived(part);
        });
      },
    });
  }

  /** Bytes of memory that waiting and in-flight parts use. */
  get held(): number {
    return this.#queue.held;
  }

  upload(cut: PartCut, done: () => void): void {
    const { file: upload, number, size, memory } = cut;
    this.#queue.add({ upload, number, size, held: memory?.length ?? 0, cut, body: none, done });
  }

  /** Memory for the whole part. Spilled bytes are later read into its beginning. */
  #body({ spilled, memory, size }: PartCut): Buffer {
    if (spilled.length === 0 && memory !== undefined) return memory;
    const body = this.pool.take(size);
    if (memory !== undefined) {
      const dropped = spilled.reduce((sum, range) => sum + range.length, 0);
      memory.copy(body, dropped, 0, size - dropped);
      this.pool.give(memory);
    }
    return body;
  }
}
