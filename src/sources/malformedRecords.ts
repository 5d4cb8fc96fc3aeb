import type { Attempt } from '../flow/index.js';
import type { Malformed } from '../formats/reader.js';
import { MalformedRecord } from './errors.js';
import type { SkippedEvent } from './events.js';
import type { SourceOutput } from './source.js';

/** The maximum number of characters of a malformed record in an error. */
const excerptLength = 200;

/** Applies the policy for records that cannot be parsed, and counts those skipped. */
export class MalformedRecords {
  readonly #source: string;
  readonly #policy: 'fail' | 'skip' | 'deadLetter';
  readonly #attempt: Attempt;
  #skipped: number;
  #last: Pick<SkippedEvent, 'object' | 'offset' | 'line' | 'reason'> | undefined;

  /** @param skipped the number of records skipped before this attempt */
  constructor(source: string, policy: 'fail' | 'skip' | 'deadLetter', attempt: Attempt, skipped: number) {
    this.#source = source;
    this.#policy = policy;
    this.#attempt = attempt;
    this.#skipped = skipped;
  }

  /** Over the job's life. */
  get skipped(): number {
    return this.#skipped;
  }

  /** `object` is the URI of the record's object. Errors: `MalformedRecord`. */
  take<T>(object: string, { offset, line, text, reason }: Malformed, out: SourceOutput<T>): void {
    switch (this.#policy) {
      case 'fail':
        throw new MalformedRecord(object, offset, line, text.slice(0, excerptLength), reason);
      case 'skip':
        this.#skipped++;
        this.#last = { object, offset, line, reason };
        return;
      case 'deadLetter':
        out.deadLetter({ source: this.#source, object, offset, line, text, reason });
    }
  }

  /** Reports the records skipped since the last report, with the last of them as the example. */
  report(): void {
    if (this.#last === undefined) return;
    const example = this.#last;
    this.#last = undefined;
    this.#attempt.report({
      type: 'skipped',
      operator: this.#source,
      ...example,
      count: this.#skipped,
    } satisfies SkippedEvent);
  }
}
