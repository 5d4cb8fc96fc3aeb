import { defer, finalize, type Observable } from 'rxjs';
import { memory, type Attempt, type MemoryShare } from '../../flow/index.js';
import { BufferPool, largestPart } from '../../store/multipart/index.js';
import type { SinkSettings } from './options.js';

/**
 * A sink's share of the memory of all jobs in the process. It covers bytes that are not uploaded yet, which is the
 * sink's budget; buffers that the pool keeps for reuse, up to a quarter of that; and tails that are read back to be
 * published, another quarter, or one part if that is more. With a smaller share, the budget is smaller.
 */
export class SinkMemory {
  readonly pool: BufferPool = new BufferPool(0, () => {
    this.report();
  });
  readonly #part: number;
  readonly #share: MemoryShare;
  #publishing = 0;

  /**
   * @param outside bytes that count towards the budget and are not in the pool
   * @param relieve called when the budget has changed: make room, or use more
   */
  constructor(
    id: string,
    attempt: Attempt,
    settings: Pick<SinkSettings<never>, 'budget' | 'leastBudget' | 'rollSize' | 'partSize'>,
    private readonly outside: () => number,
    relieve: () => void,
  ) {
    this.#part = largestPart(settings.rollSize, settings.partSize);
    this.#share = attempt.use(memory).share({
      who: `sink '${id}'`,
      least: this.#shareFor(settings.leastBudget),
      most: this.#shareFor(settings.budget),
      changed: () => {
        this.#resize();
        relieve();
        this.report();
      },
    });
    this.#resize();
  }

  /** Bytes of tails that may be in memory to be published. */
  get tails(): number {
    return Math.max(this.pool.budget / 4, this.#part);
  }

  /** Counts a tail that is read back while it is published. */
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
    this.#share.holds(this.pool.occupied + this.outside() + this.#publishing);
  }

  leave(): void {
    this.#share.leave();
  }

  #resize(): void {
    const { limit } = this.#share;
    const budget = Math.min(limit / 1.5, (limit - this.#part) / 1.25);
    this.pool.resize(Math.max(0, Math.round(budget)));
  }

  /** The share that a budget needs. */
  #shareFor(budget: number): number {
    return Math.ceil(budget * 1.25 + Math.max(budget / 4, this.#part));
  }
}
