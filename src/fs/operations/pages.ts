import { from, Observable, type ObservableInput } from 'rxjs';
import type { ListOptions, ListPage, ObjectStore } from '../../store/objectStore.js';

/**
 * Page after page, each asked for when the one before has been taken and `pace`, if any, has completed for it; never
 * after an unsubscribe. A loop, not a recursion: stores may answer at once, and a walk has any number of pages.
 */
export function pagesOf<P, C>(
  ask: (after: C | undefined) => Observable<P>,
  nextOf: (page: P) => C | undefined,
  pace?: (page: P) => ObservableInput<unknown>,
): Observable<P> {
  return new Observable((out) => {
    let after: C | undefined;
    let ready = true;
    let asking = false;
    const goOn = (): void => {
      ready = true;
      if (asking) return;
      asking = true;
      while (ready && !out.closed) {
        ready = false;
        let page: P | undefined;
        out.add(
          ask(after).subscribe({
            next: (answer) => {
              page = answer;
            },
            error: (error: unknown) => out.error(error),
            complete: () => {
              if (page !== undefined) taken(page);
            },
          }),
        );
      }
      asking = false;
    };
    const taken = (page: P): void => {
      out.next(page);
      if (out.closed) return;
      after = nextOf(page);
      if (after === undefined) out.complete();
      else if (pace === undefined) goOn();
      else {
        // What a callback throws is the operation's error.
        const brake = new Observable((inner) => from(pace(page)).subscribe(inner));
        out.add(brake.subscribe({ error: (error: unknown) => out.error(error), complete: goOn }));
      }
    };
    goOn();
  });
}

/** All pages of a listing. */
export function listing(
  store: ObjectStore,
  options: Omit<ListOptions, 'cursor'>,
  pace?: (page: ListPage) => ObservableInput<unknown>,
): Observable<ListPage> {
  return pagesOf(
    (cursor: string | undefined) => store.list(cursor === undefined ? options : { ...options, cursor }),
    (page) => page.cursor,
    pace,
  );
}
