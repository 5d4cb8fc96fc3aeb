/**
 * Retries retryable errors with exponential backoff and full jitter: before attempt n + 1 it waits a uniformly random
 * fraction of base × 2^n. Throttled requests have a base of their own, and wait at least as long as the server asks.
 *
 * A request that is not idempotent is retried only if it certainly had no effect (`Throttled`): if a conditional put
 * succeeded but its response was lost, the retry would fail with `AlreadyExists`, and a second Complete with `NotFound`. The
 * callers of those determine the outcome from the object itself.
 */
import { concat, defer, of, retry, throwError, type Observable } from 'rxjs';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { backoffDelay, fullJitter } from '../../flow/backoff.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { pause } from '../../flow/clock.js';
import { isRetryable } from '../../errors.js';
import { decorate, type StoreCall } from './decorate.js';
import { isStoreError } from '../errors.js';
import type { ObjectStore } from '../objectStore.js';

export interface RetryOptions {
  /** Retries after the first attempt. Default 3. */
  readonly retries?: number;
  /** Milliseconds. Default 100. */
  readonly base?: number;
  /** The base for `Throttled`. Milliseconds. Default 1,000. */
  readonly throttledBase?: number;
  /** The longest wait, even if the server asks for more. Milliseconds. Default 20,000. */
  readonly cap?: number;
  /** Requests that are not retried, because their caller repeats them. Default: none. */
  readonly except?: (call: StoreCall) => boolean;
  readonly clock?: Clock;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

const names: OptionNames<RetryOptions> = {
  retries: true,
  base: true,
  throttledBase: true,
  cap: true,
  except: true,
  clock: true,
  random: true,
};

/** A retry before its wait. */
export interface RetryNotice {
  /** The attempt that failed: 1, 2, … */
  readonly failed: number;
  /** Milliseconds. */
  readonly delay: number;
  readonly error: unknown;
}

/** A store whose requests are retried. */
export function retrying(store: ObjectStore, options: RetryOptions = {}): ObjectStore {
  checkOptions('retrying', options, names);
  return decorate(store, (call, run) => retried(call, run, options));
}

/** Retries one request; `notice` is called before each wait. */
export function retried<T>(
  call: StoreCall,
  run: Observable<T>,
  options: RetryOptions,
  notice?: (retry: RetryNotice) => void,
): Observable<T> {
  const { retries = 3, base = 100, throttledBase = 1000, cap = 20_000 } = options;
  const { except = () => false, clock = systemClock, random = Math.random } = options;
  return defer(() => {
    const limit = except(call) ? 0 : retries;
    return run.pipe(
      retry({
        delay: (error: unknown, failed) => {
          if (failed > limit || !worthRetrying(call, error)) return throwError(() => error);
          const throttle = isStoreError(error, 'Throttled') ? error : undefined;
          const first = throttle === undefined ? base : throttledBase;
          const drawn = backoffDelay({ first, max: cap, spread: fullJitter }, failed, random());
          const delay = Math.max(drawn, Math.min(cap, throttle?.retryAfter ?? 0));
          notice?.({ failed, delay, error });
          return concat(pause(clock, delay), of(delay));
        },
      }),
    );
  });
}

function worthRetrying(call: StoreCall, error: unknown): boolean {
  if (isStoreError(error, 'Throttled')) return true;
  return isRetryable(error) && repeatable(call);
}

/** Whether the request is idempotent. A second upload of `createUpload` is swept as an orphan. */
function repeatable({ method, conditional }: StoreCall): boolean {
  if (method === 'completeUpload') return false;
  return method === 'put' ? !conditional : true;
}
