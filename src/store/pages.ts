/** Lazy paged listings: of objects, uploads and parts. */
import { isDeepStrictEqual } from 'node:util';
import { concat, defer, ignoreElements, Observable, of, reduce, type ObservableInput } from 'rxjs';
import { StoreError } from './errors.js';
import type {
  ListOptions,
  ListPage,
  ObjectStore,
  UploadCursor,
  UploadedPart,
  UploadPage,
} from './objectStore.js';

/**
 * Emits the results of `work` on page after page. The next page is requested when `work` completes, and never after an
 * unsubscribe. A page that leads to itself is an error. A loop, not a recursion: stores may answer synchronously, with any
 * number of pages.
 */
function eachPage<P, C, R>(
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
        const next = nextOf(page);
        if (next === undefined) out.complete();
        else if (isDeepStrictEqual(next, after)) out.error(endless());
        else {
          after = next;
          goOn();
        }
      };
      out.add(
        defer(() => work(page)).subscribe({ next: (result) => out.next(result), error: fail, complete }),
      );
    };
    goOn();
  });
}

function endless(): StoreError {
  return new StoreError(
    'NotSupported',
    'The store returns the same page of a listing again and again: it cannot be listed to its end.',
  );
}

/** All pages, each requested when `pace`, if any, has completed for the previous one. */
function pagesOf<P, C>(
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
export function listPages(
  store: ObjectStore,
  options: Listed,
  pace?: (page: ListPage) => ObservableInput<unknown>,
): Observable<ListPage> {
  return pagesOf(asking(store, options), ({ cursor }) => cursor, pace);
}

/** Runs `work` on the pages of a listing in sequence. */
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

/** Runs `work` on the pages of uploads under a prefix in sequence. */
export function eachUploads<R>(
  store: ObjectStore,
  prefix: string,
  work: (page: UploadPage) => ObservableInput<R>,
): Observable<R> {
  const ask = (after: UploadCursor | undefined): Observable<UploadPage> =>
    store.listUploads({ prefix, ...(after === undefined ? {} : { after }) });
  return eachPage(ask, ({ next }) => next, work);
}

/** All uploads under a prefix, page by page. */
export function uploadPages(store: ObjectStore, prefix: string): Observable<UploadPage> {
  return eachUploads(store, prefix, (page) => of(page));
}

/** All parts of an upload, by number. */
export function listedParts(
  store: ObjectStore,
  key: string,
  uploadId: string,
): Observable<ReadonlyMap<number, UploadedPart>> {
  return pagesOf(
    (after: number | undefined) => store.listParts(key, uploadId, after),
    ({ next }) => next,
  ).pipe(
    reduce((all, { parts }) => {
      for (const part of parts) all.set(part.number, part);
      return all;
    }, new Map<number, UploadedPart>()),
  );
}
