import { MillraceError } from '../errors.js';

/** Whether a value is a promise, of any library. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** @param what what the promise came from, with its verb: `records(…) emitted` */
export function promiseInFlow(what: string): MillraceError {
  return new MillraceError(
    'PromiseInFlow',
    `${what} a promise. Callbacks of a flow are synchronous, so that checkpoints know which records have been handled. For asynchronous work leave the flow with values() and use mergeMap or concatMap there, at least once.`,
  );
}
