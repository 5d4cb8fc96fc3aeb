import { MillraceError } from '../errors.js';
import type { Attempt } from './attempt.js';

/**
 * What happens to a record that cannot be encoded: by a sink's format, or into state. `fail`: the job ends with the error. `skip`:
 * the record is left out, and shows as an event `record-skipped`.
 */
export type OnUnencodable = 'fail' | 'skip';

/** What an operator reports to `job.events$` for each record that it leaves out. */
export type RecordSkipped = {
  readonly type: 'record-skipped';
  readonly operator: string;
  readonly reason: string;
  /** Skipped so far by the operator, since the job was started or restarted. */
  readonly count: number;
};

/** Counts and reports the records that one operator leaves out in one attempt. */
export class SkippedRecords {
  #count = 0;

  constructor(
    private readonly operator: string,
    private readonly attempt: Pick<Attempt, 'report'>,
  ) {}

  skip(error: unknown): void {
    // What a user's callback threw may hold anything.
    const reason =
      error instanceof MillraceError
        ? error.message
        : error instanceof Error
          ? error.name
          : 'an error of no kind';
    const event: RecordSkipped = {
      type: 'record-skipped',
      operator: this.operator,
      reason,
      count: ++this.#count,
    };
    this.attempt.report(event);
  }
}
