import type { Credit } from '../../flow/index.js';
import type { Acks } from '../twoPhase/acks.js';
import type { Journals } from './journal.js';
import type { OpenFiles } from './openFiles.js';
import type { BufferPool } from '../../store/multipart/index.js';
import type { PartUploads } from './uploads.js';

/**
 * Keeps a sink within its budget. Tails may take half of it, and fresh bytes a quarter, as the next journal holds a copy
 * of them; beyond that they go to a journal at once, and of what journals hold as much leaves memory as makes room.
 * Sources wait beyond three quarters. All else that is held is on its way to the store and comes back without any help
 * from sources, so holding their credits cannot deadlock.
 */
export class Pressure {
  readonly #credits = new Map<string, Credit>();
  /** Whether journals may hold what is in memory, too. */
  #droppable = false;
  #resting = false;

  constructor(
    private readonly pool: BufferPool,
    private readonly files: OpenFiles,
    private readonly uploads: PartUploads,
    private readonly journals: Journals,
    private readonly acks: Acks,
    private readonly release: (credit: Credit) => void,
  ) {}

  /** A source has come this far; it hears of it when there is room for more. */
  hold(credit: Credit): void {
    this.#credits.set(credit.source, credit);
    this.relieve();
  }

  /** Nothing comes any more. */
  rest(): void {
    this.#resting = true;
  }

  /** Memory was taken or given back. */
  relieve(): void {
    if (this.#resting) return;
    const half = this.pool.budget / 2;
    const excess = this.#tailMemory - half;
    // What leaves memory is read back when its part is full: so no more of it than makes room for a while.
    if (this.#droppable && excess > 0) this.#droppable = this.files.drop(excess + half / 4);
    const crowded = this.#tailMemory > half || this.files.fresh > half / 2;
    if (this.journals.underWay === 0 && (crowded || this.#waitedFor)) this.#spill();
    this.#releaseCredits();
  }

  /** Stores what is fresh in one journal, which the next barrier waits for. */
  journal(): void {
    const stored = this.acks.begin();
    const name = this.journals.write(this.files.takeFresh(), () => {
      this.#droppable = true;
      stored();
      this.relieve();
    });
    if (name !== undefined) this.acks.journal(name);
  }

  /** Bytes of memory that the tails of open files take. */
  get #tailMemory(): number {
    return this.pool.held - this.uploads.held - this.journals.held;
  }

  /** Whether sources wait for room that no request under way will make. */
  get #waitedFor(): boolean {
    return this.#credits.size > 0 && this.#full && this.uploads.held === 0;
  }

  /** Sources wait while there is no room for a copy of what is fresh: a barrier may come at any time. */
  get #full(): boolean {
    const { fresh, textLength } = this.files;
    return this.pool.held + fresh + textLength > this.pool.budget * 0.75;
  }

  #spill(): void {
    this.files.flushAll();
    if (this.files.prepare() > 0) this.journal();
  }

  #releaseCredits(): void {
    if (this.#credits.size === 0 || this.#full) return;
    for (const credit of this.#credits.values()) this.release(credit);
    this.#credits.clear();
  }
}
