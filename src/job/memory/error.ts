import { readableSize } from '../../config/readable.js';
import { MillraceError } from '../../errors.js';
import type { MemoryUse } from '../../flow/index.js';

/** The memory limit is too low for what runs in this process. */
export class MemoryTooSmall extends MillraceError {
  override readonly name: string = 'MemoryTooSmall';

  /** @param others the sum of what the other holders need at least, in bytes */
  constructor(owner: string, total: number, others: number, use?: MemoryUse) {
    const needs =
      use === undefined
        ? `, which leaves nothing for ${owner}.`
        : `. ${use.who} of ${owner} needs at least another ${readableSize(use.least)}.`;
    super(
      'MemoryTooSmall',
      `The jobs, readers, writers and copies of this process may hold ${readableSize(total)} together (execution.memory-budget, or memory of createJob; the smallest value applies), of which its jobs need at least ${readableSize(others)}${needs} Raise the limit, run fewer jobs in one process, or reduce what each needs: smaller fragments (s3.spi.read.max-fragment-size) and smaller parts (s3.upload.min.part.size, roll.size).`,
    );
  }
}
