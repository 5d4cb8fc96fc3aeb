import { MillraceError } from '../errors.js';

/** Whether a value is a promise or an Observable, of any library or copy of RxJS. */
export function isDeferred(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (isPromise(value) || isObservable(value));
}

const isPromise = (value: object): boolean => typeof (value as { then?: unknown }).then === 'function';

const isObservable = (value: object): boolean => {
  const { lift, subscribe } = value as { readonly lift?: unknown; readonly subscribe?: unknown };
  return typeof lift === 'function' && typeof subscribe === 'function';
};

/** @param what the origin of the value, with a verb: `partitionBy returned` */
export function deferredInFlow(what: string, value: unknown): MillraceError {
  return isPromise(value as object)
    ? new MillraceError(
        'PromiseInFlow',
        `${what} a promise. Callbacks of a flow are synchronous, so that checkpoints know which records have been handled. For asynchronous work leave the flow with values() and use mergeMap or concatMap there, at least once.`,
      )
    : new MillraceError(
        'ObservableInFlow',
        `${what} an Observable, which is not a record. Emit its values: inside records(…) use concatMap or mergeMap instead of map, and end groupBy and window operators with mergeMap(…) or mergeAll().`,
      );
}
