import type { Observable } from 'rxjs';
import { toFsError, type Call } from './errors.js';

/**
 * The last value of an Observable as a promise. An abort unsubscribes and rejects as in Node; errors become `FsError`.
 */
export function promised<T>(
  work: Observable<T>,
  call: Call,
  signal?: AbortSignal | null,
): Promise<T | undefined> {
  return promisedWith(work, (error) => toFsError(error, call), signal);
}

/** As {@link promised}, with errors of another kind. */
export function promisedWith<T>(
  work: Observable<T>,
  toError: (error: unknown) => unknown,
  signal?: AbortSignal | null,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortError(signal));
      return;
    }
    let last: T | undefined;
    const abort = (): void => {
      subscription.unsubscribe();
      reject(abortError(signal));
    };
    const over = (): void => signal?.removeEventListener('abort', abort);
    const subscription = work.subscribe({
      next: (value) => (last = value),
      error: (error: unknown) => {
        over();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a user's own body threw
        reject(toError(error));
      },
      complete: () => {
        over();
        resolve(last);
      },
    });
    if (!subscription.closed) signal?.addEventListener('abort', abort, { once: true });
  });
}

/** As {@link promised}, for an Observable that always emits. */
export async function answer<T>(work: Observable<T>, call: Call, signal?: AbortSignal | null): Promise<T> {
  return (await promised(work, call, signal)) as T;
}

export function abortError(signal: AbortSignal | null | undefined): Error {
  const error = new Error('The operation was aborted', { cause: signal?.reason });
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}
