import { Subscription, type Observable } from 'rxjs';
import { exitCodeOf, exitCodes, Interrupted, ReaderGone, Reported } from './exit.js';
import type { Session } from './session.js';

/**
 * Consumes an Observable. `stop` unsubscribes, which aborts its requests, and rejects with its reason; so does an error thrown by
 * `next`.
 */
export function taken<T>(
  source: Observable<T>,
  stop: AbortSignal,
  next: (value: T) => void = nothing,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stop.aborted) {
      reject(stop.reason as Error);
      return;
    }
    const end = (finish: () => void): void => {
      stop.removeEventListener('abort', stopped);
      subscription.unsubscribe();
      finish();
    };
    const stopped = (): void => end(() => reject(stop.reason as Error));
    stop.addEventListener('abort', stopped);
    // Declared first: a source may end synchronously.
    const subscription = new Subscription();
    subscription.add(
      source.subscribe({
        next: (value) => {
          try {
            next(value);
          } catch (error) {
            end(() => reject(asError(error)));
          }
        },
        error: (error: unknown) => end(() => reject(asError(error))),
        complete: () => end(resolve),
      }),
    );
  });
}

/** The single value of an Observable. */
export async function one<T>(source: Observable<T>, stop: AbortSignal): Promise<T> {
  const values: T[] = [];
  await taken(source, stop, (value) => values.push(value));
  if (values.length === 0) throw new Error('The request ended without an answer.');
  return values[0] as T;
}

/**
 * Runs `work` for each item. Failures are reported immediately, and the others continue; then it rejects with a `Reported`.
 */
export async function each<T>(
  { report, stop }: Pick<Session, 'report' | 'stop'>,
  things: readonly T[],
  work: (thing: T, index: number) => Promise<void>,
): Promise<void> {
  const codes = new Set<number>();
  for (const [index, thing] of things.entries()) {
    stop.throwIfAborted();
    try {
      await work(thing, index);
    } catch (error) {
      if (stop.aborted || error instanceof Interrupted || error instanceof ReaderGone) throw error;
      if (things.length === 1) throw error;
      if (!(error instanceof Reported)) report(error);
      codes.add(exitCodeOf(error));
    }
  }
  const [code] = codes;
  if (code !== undefined) throw new Reported(codes.size === 1 ? code : exitCodes.failure);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function nothing(): void {
  // Only the end matters.
}
