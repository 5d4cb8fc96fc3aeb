import type { BufferPool } from '../../store/multipart/index.js';
import type { Journals } from '../twoPhase/journal.js';
import type { OpenFiles } from './openFiles.js';
import type { PartUploads } from './uploads.js';

/**
 * Keeps a sink within its budget. Tails may take half of it, and fresh bytes a quarter, because the next journal holds
 * a copy of them. Beyond that, fresh bytes go to a journal immediately, and tails that journals hold leave memory until
 * there is room. Sources wait beyond three quarters. Everything else that is held is in flight to the store and is
 * released without further input, so holding credits cannot deadlock. Encoders may hold half of the budget, or a
 * quarter if the next journal holds a copy. Beyond that, or if sources wait for nothing else, those that hold the
 * most are flushed, or their files are rolled.
 *
 * Without journals, only tails count: the files with the longest ones are rolled, so files become smaller.
 */
export class Pressure {
  /** Whether some tails in memory may be in journals as well. */
  #droppable = false;

  constructor(
    private readonly pool: BufferPool,
    private readonly files: OpenFiles<never>,
    private readonly uploads: PartUploads,
    private readonly journals: Journals,
    /** Whether journals take bytes out of memory. */
    private readonly spills: boolean,
    /** Called when a journal is stored: its bytes may leave memory. */
    private readonly journaled: () => void,
  ) {}

  /** @param waitedFor whether sources wait for room */
  makeRoom(waitedFor: () => boolean): void {
    const half = this.pool.budget / 2;
    const excess = this.#tailMemory - half;
    // Dropped bytes are read back when their part is full, so drop only enough to make room for a while.
    if (this.#droppable && excess > 0) this.#droppable = this.files.drop(excess + half / 4);
    const most = half / this.#copies;
    if (this.files.held > most) this.files.flushHolding(most * 0.75);
    if (this.journals.inFlight > 0) return;
    const crowded = excess > 0 || (this.spills && this.files.frozen.fresh > half / 2);
    // Sources may wait for room that no pending request will make.
    if (crowded || (this.uploads.held === 0 && waitedFor())) {
      if (this.spills) this.#spill();
      else this.files.rollLongest(Math.max(excess, 0) + half / 4);
    }
    if (this.files.held > 0 && this.uploads.held + this.journals.held === 0 && waitedFor())
      this.files.flushHolding(this.files.held / 2);
  }

  /** Stores fresh bytes in one journal, which the next barrier waits for. */
  journal(barrier = false): void {
    this.journals.write(this.files.frozen.takeFresh(barrier), () => {
      this.#droppable = true;
      this.journaled();
    });
  }

  /** Whether there is no room for a copy of the fresh bytes, which a barrier may need at any time. */
  get full(): boolean {
    const copy = this.spills ? this.files.frozen.fresh : 0;
    return this.pool.held + copy + this.outsidePool > this.pool.budget * 0.75;
  }

  /** Bytes of memory outside of the pool: text, and rows that encoders hold. */
  get outsidePool(): number {
    return this.files.textLength + this.files.held * this.#copies;
  }

  /** Copies in memory of the rows that encoders hold, at a barrier. */
  get #copies(): number {
    return this.files.journalsRows ? 2 : 1;
  }

  get #tailMemory(): number {
    return this.pool.held - this.uploads.held - this.journals.held;
  }

  #spill(): void {
    this.files.flushAll();
    if (this.files.prepare() > 0) this.journal();
  }
}
