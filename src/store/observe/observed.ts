import { Observable, type Observer } from 'rxjs';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { silentLogger, type Logger } from '../../config/logger.js';
import { MillraceError } from '../../errors.js';
import { monotonic, systemClock, type Clock } from '../../flow/index.js';
import { bytesOf } from '../decorators/counting.js';
import { decorate, type StoreCall } from '../decorators/decorate.js';
import { retried, type RetryNotice, type RetryOptions } from '../decorators/retry.js';
import { isStoreError } from '../errors.js';
import type { ObjectBody, ObjectStore } from '../objectStore.js';
import { listenedTo, requestChannels, type StoreRequest } from './channels.js';

export interface ObserveOptions {
  /** Retries requests, and reports the retries as part of their request. Default: no retries. */
  readonly retry?: RetryOptions;
  /** Receives retries (`info`) and requests that finally fail (`debug`). Default: `silentLogger`. */
  readonly logger?: Logger;
  readonly clock?: Clock;
}

const names: OptionNames<ObserveOptions> = { retry: true, logger: true, clock: true };

/**
 * Publishes a store's requests to the channels `millrace:request:start`, `retry`, `error` and `end` of
 * `node:diagnostics_channel`. Without subscribers its cost is negligible. Stores of `openStores` and `S3Connection` are
 * already observed.
 *
 * @example
 * ```ts
 * const shown = observed(store, { retry: { retries: 5 } });
 * ```
 */
export function observed(store: ObjectStore, options: ObserveOptions = {}): ObjectStore {
  checkOptions('observed', options, names);
  const { retry, logger = silentLogger, clock = systemClock } = options;
  return decorate(store, <T>(call: StoreCall, run: Observable<T>) => {
    const tried = (watch?: Watch): Observable<T> => {
      const notice = (notice: RetryNotice): void => {
        watch?.retry(notice);
        logRetry(logger, store.uri, call, notice);
      };
      return retry === undefined ? run : retried(call, run, retry, notice);
    };
    return new Observable<T>((out) => {
      if (!listenedTo())
        return tried().subscribe(
          logger === silentLogger ? out : loggingFailure(out, logger, store.uri, call),
        );
      const watch = new Watch(store.uri, call, clock);
      // A consumer may unsubscribe on the answer, before the completion.
      let answered = false;
      // Before the subscription, which may complete synchronously.
      out.add(() => watch.end(answered ? 'answered' : 'aborted'));
      return tried(watch).subscribe({
        next: (answer) => {
          answered = true;
          watch.answer(answer);
          out.next(answer);
        },
        error: (error: unknown) => {
          logFailure(logger, store.uri, call, error);
          watch.failed(error);
          out.error(error);
        },
        complete: () => {
          watch.end('answered');
          out.complete();
        },
      });
    });
  });
}

let lastId = 0;

/** Publishes the messages of one request. */
class Watch {
  readonly #request: StoreRequest;
  readonly #clock: Clock;
  readonly #since: number;
  #tries = 1;
  #bytesDown = 0;
  #over = false;

  constructor(store: string, { method, key, body }: StoreCall, clock: Clock) {
    this.#request = { id: ++lastId, store, method, key, bytesUp: body?.length ?? 0 };
    this.#clock = clock;
    this.#since = monotonic(clock);
    requestChannels.start.publish({ request: this.#request });
  }

  retry({ failed, delay, error }: RetryNotice): void {
    this.#tries = failed + 1;
    requestChannels.retry.publish({ request: this.#request, failed, delay, code: codeOf(error) });
  }

  answer(answer: unknown): void {
    if (typeof answer !== 'object' || answer === null || !('chunks' in answer)) return;
    this.#bytesDown += bytesOf(answer as ObjectBody);
  }

  failed(error: unknown): void {
    const code = codeOf(error);
    const status = isStoreError(error) ? error.status : undefined;
    requestChannels.error.publish({
      request: this.#request,
      code,
      ...(status === undefined ? {} : { status }),
      error,
    });
    this.end('failed', code);
  }

  end(outcome: 'answered' | 'failed' | 'aborted', code?: string): void {
    if (this.#over) return;
    this.#over = true;
    requestChannels.end.publish({
      request: this.#request,
      outcome,
      duration: monotonic(this.#clock) - this.#since,
      tries: this.#tries,
      bytesDown: this.#bytesDown,
      ...(code === undefined ? {} : { code }),
    });
  }
}

function codeOf(error: unknown): string {
  return error instanceof MillraceError ? error.code : 'UNKNOWN';
}

function logRetry(
  logger: Logger,
  store: string,
  call: StoreCall,
  { failed, delay, error }: RetryNotice,
): void {
  const code = codeOf(error);
  const context = { store, method: call.method, key: call.key, failed, delay: Math.round(delay), code };
  const message =
    code === 'Throttled'
      ? 'Throttled: the request is sent again later'
      : 'A request failed and is sent again';
  logger.info(context, message);
}

function logFailure(logger: Logger, store: string, call: StoreCall, error: unknown): void {
  logger.debug({ store, method: call.method, key: call.key, code: codeOf(error) }, 'A request failed');
}

function loggingFailure<T>(
  out: Observer<T>,
  logger: Logger,
  store: string,
  call: StoreCall,
): Partial<Observer<T>> {
  return {
    next: (answer) => out.next(answer),
    error: (error: unknown) => {
      logFailure(logger, store, call, error);
      out.error(error);
    },
    complete: () => out.complete(),
  };
}
