import { concat, defer, ignoreElements, Observable, of, type ObservableInput } from 'rxjs';
import type { ListOptions, ListPage, ObjectStore } from '../../store/objectStore.js';

/**
 * Page after page: `work` on one, whose results are emitted, and the next is asked for when that is complete; never after
 * an unsubscribe. A loop, not a recursion: stores may answer at once, and a walk has any number of pages.
 */
export function eachPage<P, C, R>(
  ask: (after: C | undefined) => Observable<P>,
  nextOf: (page: P) => C | undefined,
  work: (page: P) => ObservableInput<R>,
): Observable<R> {
  return new Observable((out) => {
    let after: C | undefined;
    let ready = false;
    let looping = false;
    const fail = (error: unknown): void => out.error(error);
    const goOn = (): void => {
      ready = true;
      if (looping) return;
      looping = true;
      while (ready && !out.closed) {
        ready = false;
        let page: P | undefined;
        const complete = (): void => {
          if (page !== undefined) taken(page);
        };
        out.add(ask(after).subscribe({ next: (answer) => (page = answer), error: fail, complete }));
      }
      looping = false;
    };
    const taken = (page: P): void => {
      const complete = (): void => {
        after = nextOf(page);
        if (after === undefined) out.complete();
        else goOn();
      };
      out.add(
        defer(() => work(page)).subscribe({ next: (result) => out.next(result), error: fail, complete }),
      );
    };
    goOn();
  });
}

/** All pages, each asked for when `pace`, if any, has completed for the one before. */
export function pagesOf<P, C>(
  ask: (after: C | undefined) => Observable<P>,
  nextOf: (page: P) => C | undefined,
  pace?: (page: P) => ObservableInput<unknown>,
): Observable<P> {
  return eachPage(ask, nextOf, (page) =>
    pace === undefined || nextOf(page) === undefined
      ? of(page)
      : concat(of(page), defer(() => pace(page)).pipe(ignoreElements())),
  );
}

type Listed = Omit<ListOptions, 'cursor'>;

/** All pages of a listing. */
export function listing(
  store: ObjectStore,
  options: Listed,
  pace?: (page: ListPage) => ObservableInput<unknown>,
): Observable<ListPage> {
  return pagesOf(asking(store, options), ({ cursor }) => cursor, pace);
}

/** Work on one page of a listing after the other. */
export function eachListed<R>(
  store: ObjectStore,
  options: Listed,
  work: (page: ListPage) => ObservableInput<R>,
): Observable<R> {
  return eachPage(asking(store, options), ({ cursor }) => cursor, work);
}

function asking(store: ObjectStore, options: Listed): (cursor: string | undefined) => Observable<ListPage> {
  return (cursor) => store.list(cursor === undefined ? options : { ...options, cursor });
}
