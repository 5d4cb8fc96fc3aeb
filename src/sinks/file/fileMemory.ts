import type { Attempt } from '../../flow/index.js';
import { largestPart } from '../../store/multipart/index.js';
import { SinkMemory } from '../twoPhase/sinkMemory.js';
import type { SinkSettings } from './options.js';

/**
 * The memory of a file sink. It covers bytes that are not uploaded yet, which is the sink's budget; buffers that the
 * pool keeps for reuse, up to a quarter of that; and tails that are read back to be published, another quarter, or one
 * part if that is more. With a smaller share, the budget is smaller.
 */
export class FileMemory extends SinkMemory {
  readonly #part: number;

  /** @param outside bytes that count towards the budget and are not in the pool */
  constructor(
    id: string,
    attempt: Attempt,
    {
      budget,
      leastBudget,
      rollSize,
      partSize,
    }: Pick<SinkSettings<never>, 'budget' | 'leastBudget' | 'rollSize' | 'partSize'>,
    outside: () => number,
    relieve: () => void,
  ) {
    const part = largestPart(rollSize, partSize);
    const shareFor = (bytes: number): number => Math.ceil(bytes * 1.25 + Math.max(bytes / 4, part));
    const needs = {
      least: shareFor(leastBudget),
      most: shareFor(budget),
      pool: (share: number) => Math.min(share / 1.5, (share - part) / 1.25),
      outside,
    };
    super(id, attempt, needs, relieve);
    this.#part = part;
  }

  /** Bytes of tails that may be in memory to be published. */
  get tails(): number {
    return Math.max(this.pool.budget / 4, this.#part);
  }
}
