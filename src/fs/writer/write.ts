import {
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  from,
  ignoreElements,
  map,
  Observable,
  of,
  catchError,
  tap,
  throwError,
} from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { WriteBody, WriteOptions, Written } from '../types.js';
import { ObjectWriter, type WriteTarget } from './writer.js';

type Chunk = Uint8Array | string;

/**
 * Writes an object; emits once, when it is published. Unsubscribing before aborts, and leaves nothing. `onCleanUp`
 * receives the clean-up in that case, and subscribes to it.
 */
export function writeObject(
  target: WriteTarget,
  body: WriteBody,
  options: WriteOptions = {},
  onCleanUp: (cleanUp: Observable<never>) => void = start,
): Observable<Written> {
  return conditioned(target, options).pipe(
    concatMap((resolved) => written(new ObjectWriter(target, resolved), body, onCleanUp)),
  );
}

function written(
  writer: ObjectWriter,
  body: WriteBody,
  onCleanUp: (cleanUp: Observable<never>) => void,
): Observable<Written> {
  return defer(() => {
    let over = false;
    return concat(feed(writer, body), writer.end()).pipe(
      tap(() => (over = true)),
      catchError((error: unknown) => {
        over = true;
        return concat(
          quietly(writer.abort()),
          throwError(() => error),
        );
      }),
      finalize(() => {
        if (!over) onCleanUp(quietly(writer.abort()));
      }),
    );
  });
}

/** Replaces `preventConcurrentOverwrite` by a condition on the current object, with one HEAD. */
export function conditioned(
  { store, key }: Pick<WriteTarget, 'store' | 'key'>,
  options: WriteOptions,
): Observable<WriteOptions> {
  const { preventConcurrentOverwrite = false, assumeObjectNotExists = false, ifMatch } = options;
  if (!preventConcurrentOverwrite || assumeObjectNotExists || ifMatch !== undefined) return of(options);
  return store.head(key).pipe(
    map(({ etag }): WriteOptions => ({ ...options, ifMatch: etag })),
    catchError((error: unknown) =>
      isStoreError(error, 'NotFound')
        ? of<WriteOptions>({ ...options, assumeObjectNotExists: true })
        : throwError(() => error),
    ),
  );
}

/** Ignores a failed abort, so that the original error is reported. */
function quietly(abort: Observable<never>): Observable<never> {
  return abort.pipe(catchError(() => EMPTY));
}

function start(cleanUp: Observable<never>): void {
  cleanUp.subscribe();
}

function feed(writer: ObjectWriter, body: WriteBody): Observable<never> {
  const write = (chunk: Chunk, stable = false): Observable<never> =>
    defer(() => {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      return writer.write(bytes, { stable: stable || typeof chunk === 'string' });
    });
  if (typeof body === 'string' || body instanceof Uint8Array) return write(body, true);
  if (Symbol.asyncIterator in body || Symbol.iterator in body) return pulled(body, write);
  return from(body).pipe(
    concatMap((chunk) => write(chunk)),
    ignoreElements(),
  );
}

/** Takes each chunk when the previous one is written. */
function pulled(
  body: AsyncIterable<Chunk> | Iterable<Chunk>,
  write: (chunk: Chunk) => Observable<never>,
): Observable<never> {
  return new Observable((out) => {
    const iterator = Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator]();
    let over = false;
    out.add(() => {
      // The source may hold resources.
      if (!over) Promise.resolve(iterator.return?.()).catch(() => undefined);
    });
    const next = (): void => {
      out.add(
        defer(async () => iterator.next())
          .pipe(
            concatMap((result) => {
              if (result.done !== true) return write(result.value);
              over = true;
              return EMPTY;
            }),
          )
          .subscribe({
            error: (error: unknown) => out.error(error),
            complete: () => {
              if (over) out.complete();
              else next();
            },
          }),
      );
    };
    next();
  });
}
