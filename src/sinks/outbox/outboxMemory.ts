import type { Attempt } from '../../flow/index.js';
import { SinkMemory } from '../twoPhase/sinkMemory.js';

/** The largest journal, in bytes, if the budget is large enough. */
const largestJournal = 8 * 2 ** 20;

/**
 * The memory of an outbox. A quarter of it is for the journal that is being published, and the rest for records that are not
 * stored yet: those that are collected for the next journal, at most another quarter, and journals on their way to the
 * store.
 */
export class OutboxMemory extends SinkMemory {
  constructor(id: string, attempt: Attempt, budget: number, relieve: () => void) {
    const needs = { least: Math.min(budget, 2 ** 20), most: budget, pool: (share: number) => share * 0.6 };
    super(id, attempt, needs, relieve);
  }

  /** Bytes that a journal may have. */
  get journal(): number {
    return Math.min(largestJournal, Math.floor(this.limit / 4));
  }

  /** Whether there is little room for more records. */
  get full(): boolean {
    return this.pool.held > (this.limit - this.journal) / 2;
  }
}
