import type { OperatorEvent } from '../../flow/index.js';
import type { InputSkippedEvent } from '../events.js';

/** The number of objects that are remembered. */
const most = 10_000;

/**
 * Reports of what the listings of one URI skip: each round finds the same broken links again. What the last listing has skipped for the
 * same reason is not reported again, but what was readable or gone in between is. Nothing else is remembered.
 */
export class SkippedOnce {
  readonly #report: (event: OperatorEvent) => void;
  /** Reasons by URI, of the last listing and of this one. */
  #last = new Map<string, string>();
  #now = new Map<string, string>();

  constructor(report: (event: OperatorEvent) => void) {
    this.#report = report;
  }

  /** A listing begins at its first key. */
  begin(): void {
    this.#last = this.#now;
    this.#now = new Map();
  }

  readonly report = (event: OperatorEvent): void => {
    if (event.type !== 'input-skipped') {
      this.#report(event);
      return;
    }
    const { object, reason } = event as InputSkippedEvent;
    const known = this.#last.get(object) === reason;
    if (this.#now.size < most) this.#now.set(object, reason);
    if (!known) this.#report(event);
  };
}
