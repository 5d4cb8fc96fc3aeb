import type { Journals } from './journal.js';
import type { OpenFiles } from './openFiles.js';
import type { BufferPool } from '../../store/multipart/index.js';
import type { PartUploads } from './uploads.js';

/**
 * Keeps a sink within its budget. Tails may take half of it, and fresh bytes a quarter, as the next journal holds a copy
 * of them; beyond that they go to a journal at once, and of what journals hold as much leaves memory as makes room.
 * Sources wait beyond three quarters. All else that is held is on its way to the store and comes back without any help
 * from sources, so holding their credits cannot deadlock. What encoders hold may take half of the budget, too, or a quarter
 * where the next journal holds a copy; beyond that, and where sources wait for nothing else, the files that hold the most are
 * rolled.
 */
export class Pressure {
  /** Whether journals may hold what is in memory, too. */
  #droppable = false;

  constructor(
    private readonly pool: BufferPool,
    private readonly files: OpenFiles<never>,
    private readonly uploads: PartUploads,
    private readonly journals: Journals,
    /** A journal is stored: what it holds may leave memory. */
    private readonly journaled: () => void,
  ) {}

  /** @param waitedFor whether sources wait for room */
  makeRoom(waitedFor: () => boolean): void {
    const half = this.pool.budget / 2;
    const excess = this.#tailMemory - half;
    // What leaves memory is read back when its part is full: so no more of it than makes room for a while.
    if (this.#droppable && excess > 0) this.#droppable = this.files.drop(excess + half / 4);
    const most = half / this.#copies;
    if (this.files.held > most) this.files.rollHolding(most * 0.75);
    if (this.journals.underWay > 0) return;
    const crowded = this.#tailMemory > half || this.files.frozen.fresh > half / 2;
    // Sources may wait for room that no request under way will make.
    if (crowded || (this.uploads.held === 0 && waitedFor())) this.#spill();
    if (this.files.held > 0 && this.uploads.held + this.journals.held === 0 && waitedFor())
      this.files.rollHolding(this.files.held / 2);
  }

  /** Stores what is fresh in one journal, which the next barrier waits for. */
  journal(barrier = false): void {
    this.journals.write(this.files.frozen.takeFresh(barrier), () => {
      this.#droppable = true;
      this.journaled();
    });
  }

  /** Whether there is no room for a copy of what is fresh: a barrier may come at any time. */
  get full(): boolean {
    return this.pool.held + this.files.frozen.fresh + this.outsidePool > this.pool.budget * 0.75;
  }

  /** Bytes of memory that are not in buffers of the pool: text, and what encoders hold. */
  get outsidePool(): number {
    return this.files.textLength + this.files.held * this.#copies;
  }

  /** How often memory has what encoders hold, once a barrier has come. */
  get #copies(): number {
    return this.files.journalsRows ? 2 : 1;
  }

  /** Bytes of memory that the tails of open files take. */
  get #tailMemory(): number {
    return this.pool.held - this.uploads.held - this.journals.held;
  }

  #spill(): void {
    this.files.flushAll();
    if (this.files.prepare() > 0) this.journal();
  }
}
