import { defer, finalize, type Observable } from 'rxjs';
import { memory, type Attempt, type MemoryShare } from '../../flow/index.js';
import { BufferPool } from '../../store/multipart/index.js';

/** What a sink needs of the memory of all jobs. Bytes. */
export interface MemoryNeeds {
  readonly least: number;
  readonly most: number;
  /** How much of a share is for the pool. The rest is for buffers that it keeps, and for what is read back to be published. */
  pool(share: number): number;
  /** What counts as well, and is not in the pool. Default: nothing. */
  outside?(): number;
}

/** A sink's share of the memory of all jobs in the process, and the pool of its buffers, whose budget follows from it. */
export class SinkMemory {
  readonly pool: BufferPool = new BufferPool(0, () => {
    this.report();
  });
  readonly #share: MemoryShare;
  #publishing = 0;

  /** @param relieve called when the budget has changed: make room, or use more */
  constructor(
    id: string,
    attempt: Attempt,
    private readonly needs: MemoryNeeds,
    relieve: () => void,
  ) {
    const { least, most } = needs;
    const changed = (): void => {
      this.#resize();
      relieve();
      this.report();
    };
    this.#share = attempt.use(memory).share({ who: `sink '${id}'`, least, most, changed });
    this.#resize();
  }

  /** Bytes of the share. */
  protected get limit(): number {
    return this.#share.limit;
  }

  /** Counts what is read back while it is published. */
  publishing<T>(bytes: number, publish: Observable<T>): Observable<T> {
    return defer(() => {
      this.#publishing += bytes;
      return publish.pipe(
        finalize(() => {
          this.#publishing -= bytes;
          this.report();
        }),
      );
    });
  }

  /** Call it after memory was freed; the pool does so itself. */
  report(): void {
    this.#share.holds(this.pool.occupied + (this.needs.outside?.() ?? 0) + this.#publishing);
  }

  leave(): void {
    this.#share.leave();
  }

  #resize(): void {
    this.pool.resize(Math.max(0, Math.round(this.needs.pool(this.limit))));
  }
}
