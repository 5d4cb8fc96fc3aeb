import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import { MillraceError } from 'millrace';
import { isStoreError, type ObjectStore } from 'millrace/stores';

/** The place of a batch in the history of its sink. `sequence` counts the batches of a checkpoint. */
export interface BatchMark {
  readonly job: string;
  readonly sink: string;
  readonly checkpoint: number;
  readonly epoch: number;
  readonly sequence: number;
}

interface Content {
  readonly rows: readonly unknown[];
  /** By job and sink: the newest batch that is in `rows`. */
  readonly last: Readonly<Record<string, BatchMark>>;
}

/**
 * A table that remembers the newest batch of each sink in the same transaction as the rows. So it takes each batch once, and
 * none of an attempt that is over. Here the table is one object, and a transaction is a conditional put.
 */
export class Table {
  constructor(
    private readonly store: ObjectStore,
    private readonly key: string,
  ) {}

  /** Adds the rows of a batch, unless the table has them. Error: `LowerEpoch`. */
  apply(mark: BatchMark, rows: readonly unknown[]): Observable<void> {
    const name = `${mark.job}/${mark.sink}`;
    return defer(() => this.#read()).pipe(
      concatMap(({ content, etag }) => {
        const last = content.last[name];
        if (last !== undefined && last.epoch > mark.epoch) return throwError(() => lowerEpoch(mark, last));
        if (last !== undefined && !isAfter(mark, last)) return of(undefined);
        const next: Content = {
          rows: [...content.rows, ...rows],
          last: { ...content.last, [name]: mark },
        };
        const condition = etag === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: etag };
        return this.store.put(this.key, Buffer.from(JSON.stringify(next)), condition).pipe(
          map(() => undefined),
          catchError((error: unknown) =>
            isStoreError(error, 'PreconditionFailed', 'AlreadyExists')
              ? this.apply(mark, rows)
              : throwError(() => error),
          ),
        );
      }),
    );
  }

  /** All rows, in order. */
  rows(): Observable<readonly unknown[]> {
    return this.#read().pipe(map(({ content }) => content.rows));
  }

  #read(): Observable<{ readonly content: Content; readonly etag: string | undefined }> {
    return this.store.get(this.key).pipe(
      map(({ chunks, info }) => ({
        content: JSON.parse(Buffer.concat(chunks).toString()) as Content,
        etag: info.etag,
      })),
      catchError((error: unknown) =>
        isStoreError(error, 'NotFound')
          ? of({ content: { rows: [], last: {} }, etag: undefined })
          : throwError(() => error),
      ),
    );
  }
}

function isAfter(a: BatchMark, b: BatchMark): boolean {
  return a.checkpoint > b.checkpoint || (a.checkpoint === b.checkpoint && a.sequence > b.sequence);
}

function lowerEpoch({ epoch }: BatchMark, last: BatchMark): MillraceError {
  return new MillraceError(
    'LowerEpoch',
    `The table has a batch of epoch ${last.epoch}: epoch ${epoch} is over.`,
  );
}
