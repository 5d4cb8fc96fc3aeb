/** For each row of the matrix an operator that fails it: plain RxJS on a flow, as written without knowing the laws. */
import {
  catchError,
  concat,
  defaultIfEmpty,
  EMPTY,
  map,
  mergeMap,
  Observable,
  of,
  type OperatorFunction,
  skipWhile,
  take,
} from 'rxjs';
import { isSignal, type Signal } from '../../../src/flow/index.js';

type Operator = OperatorFunction<number | Signal, number | Signal>;

/** One whose unsubscribe does not reach its input. */
const detached: Operator = (input) =>
  new Observable((out) => {
    input.subscribe({
      next: (value) => {
        out.next(value);
      },
      error: (error: unknown) => {
        out.error(error);
      },
      complete: () => {
        out.complete();
      },
    });
  });

export const wrongRows: Readonly<
  Record<string, Readonly<Record<string, (callback: (record: number) => void) => Operator>>>
> = {
  'an input that never emits': {
    'emits by itself': () => (input) => concat(of(0), input),
  },
  'an empty input': {
    'makes up a record': () => (input) => input.pipe(defaultIfEmpty(0)),
    'completes without Open': () => (input) => input.pipe(map((value) => value)),
  },
  'one record': {
    'leaves out the first record': () => {
      let first = true;
      return (input) =>
        input.pipe(
          mergeMap((value) => {
            if (isSignal(value) || !first) return of(value);
            first = false;
            return EMPTY;
          }),
        );
    },
  },
  'many records': {
    'leaves out what is less than the record before': () => {
      let last = -Infinity;
      return skipRecords((value) => {
        const skips = value < last;
        last = value;
        return skips;
      });
    },
  },
  'an input that fails': {
    'swallows the error': () => (input) => input.pipe(catchError(() => EMPTY)),
    'wraps the error': () => (input) =>
      input.pipe(
        catchError(() => {
          throw new Error('Something went wrong.');
        }),
      ),
  },
  'an input that never ends': {
    'completes by itself': () => (input) => input.pipe(take(6)),
  },
  'an early unsubscribe': {
    'stays subscribed to its input': () => detached,
  },
  'a callback that throws': {
    'skips the record': (callback) =>
      mergeMap((value) => {
        try {
          if (!isSignal(value)) callback(value);
        } catch {
          return EMPTY;
        }
        return of(value);
      }),
  },
  're-entrance': {
    'is interrupted by what arrives while it emits': () =>
      mergeMap((value) => (isSignal(value) ? [value] : [value, -value])),
    'is interrupted by what its callback sends': (callback) =>
      map((value) => {
        if (!isSignal(value)) callback(value);
        return value;
      }),
  },
};

function skipRecords(skips: (value: number) => boolean): Operator {
  return mergeMap((value) => of(value).pipe(skipWhile((each) => !isSignal(each) && skips(each))));
}
