import { MillraceError } from '../errors.js';
import type { Attempt } from './attempt.js';

/**
 * What happens to a record that cannot be encoded by a sink's format or into state. `fail`: the job ends with the
 * error. `skip`: the record is skipped, with an event `record-skipped`.
 */
export type OnUnencodable = 'fail' | 'skip';

/** The event that an operator reports for each record it skips. */
export type RecordSkipped = {
  readonly type: 'record-skipped';
  readonly operator: string;
  readonly reason: string;
  /** Records skipped by the operator since the job was started or restarted. */
  readonly count: number;
};

/** Counts and reports the records that one operator skips in one attempt. */
export class SkippedRecords {
  #count = 0;

  constructor(
    private readonly operator: string,
    private readonly attempt: Pick<Attempt, 'report'>,
  ) {}

  skip(error: unknown): void {
    // The message of a foreign error may contain data.
    const reason =
      error instanceof MillraceError
        ? error.message
        : error instanceof Error
          ? error.name
          : 'a value that is not an error';
    const event: RecordSkipped = {
      type: 'record-skipped',
      operator: this.operator,
      reason,
      count: ++this.#count,
    };
    this.attempt.report(event);
  }
}
