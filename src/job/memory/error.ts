import { readableSize } from '../../config/readable.js';
import { MillraceError } from '../../errors.js';
import type { MemoryUse } from '../../flow/index.js';

/** What runs in this process cannot work with the memory that it may hold together. */
export class MemoryTooSmall extends MillraceError {
  override readonly name: string = 'MemoryTooSmall';

  /** @param others bytes that those who are there already need at least */
  constructor(owner: string, total: number, others: number, use?: MemoryUse) {
    const needs =
      use === undefined
        ? `, which leaves nothing for ${owner}.`
        : `. ${use.who} of ${owner} needs another ${readableSize(use.least)} at least.`;
    super(
      'MemoryTooSmall',
      `The jobs, readers, writers and copies of this process may hold ${readableSize(total)} together (execution.memory-budget, or memory of createJob; the smallest of theirs counts), and its jobs need ${readableSize(others)} of it at least${needs} Raise it, run fewer jobs in one process, or let each need less: smaller fragments (s3.spi.read.max-fragment-size) and smaller parts (s3.upload.min.part.size, roll.size).`,
    );
  }
}
