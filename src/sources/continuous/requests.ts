import { Subscription, type Observable } from 'rxjs';
import { isRetryable } from '../../errors.js';
import { backoffDelay, halfJitter, type Backoff } from '../../flow/backoff.js';
import type { DiscoveryOptions } from '../discovery.js';
import type { DiscoveryFailedEvent } from '../events.js';

const retries: Backoff = { first: 1000, max: 60_000, spread: halfJitter };

export interface RequestsOptions extends Pick<
  DiscoveryOptions,
  'id' | 'clock' | 'random' | 'report' | 'progressed'
> {
  /** There may be more to do. */
  readonly advance: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The requests of a discovery, one at a time. One that fails with a retryable error is reported, and the discovery sends it again
 * after a while: later and later, without end.
 */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #held = new Subscription();
  #asked: string | undefined;
  #failures = 0;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** A description of the pending request, also while it waits to be repeated. */
  get asked(): string | undefined {
    return this.#asked;
  }

  /** `answered` or `failed` is called, and may throw what fails the source. */
  ask<T>(
    asked: string,
    request: Observable<T>,
    answered: (answer: T) => void,
    failed: (error: unknown) => void,
  ): void {
    this.#asked = asked;
    const { advance, fail } = this.#options;
    const continues = (work: () => void): void => {
      this.#asked = undefined;
      try {
        work();
      } catch (error) {
        fail(error);
      }
      advance();
    };
    const sent = new Subscription();
    this.#held.add(sent);
    sent.add(
      request.subscribe({
        next: (answer) => {
          this.#held.remove(sent);
          continues(() => {
            this.#failures = 0;
            answered(answer);
          });
        },
        error: (error: unknown) => {
          this.#held.remove(sent);
          continues(() => failed(error));
        },
      }),
    );
  }

  /** Lets the request be repeated after a while, or throws its error. */
  retry(error: unknown, asked: string): void {
    if (!isRetryable(error)) throw error;
    const delay = Math.round(backoffDelay(retries, ++this.#failures, this.#options.random()));
    this.report(error, delay);
    this.#asked = asked;
    this.after(delay, () => {
      this.#asked = undefined;
    });
  }

  /** Does some work later, and advances. Nothing is held of it once its time has come. */
  after(delay: number, work: () => void): void {
    const { clock, advance } = this.#options;
    const alarm = new Subscription();
    this.#held.add(alarm);
    alarm.add(
      clock.after(delay, () => {
        alarm.unsubscribe();
        work();
        advance();
      }),
    );
  }

  report(error: unknown, delayMs?: number): void {
    const { id, report, progressed } = this.#options;
    const then = delayMs === undefined ? 'the next listing will find what is new' : `again in ${delayMs} ms`;
    report({
      type: 'discovery-failed',
      operator: id,
      error,
      ...(delayMs === undefined ? {} : { delayMs }),
      message: `Source '${id}' could not look for new objects: ${then}.`,
    } satisfies DiscoveryFailedEvent);
    progressed();
  }

  /** Aborts the pending request. */
  close(): void {
    this.#held.unsubscribe();
  }
}
