/**
 * Rows for PostgreSQL: an outbox whose target is a database.
 *
 * A batch is one transaction:
 *
 * 1. The mark is stored in the table of marks, on condition that it comes after the last one and its epoch is not lower. That
 *    locks the row of the sink. Otherwise the transaction ends here: the database has the batch, or refuses it with `LowerEpoch`.
 * 2. The rows are stored, or your statements run.
 * 3. COMMIT. *Crash* before it: the server rolls back. *Crash* after it, or an answer that is lost: the next try finds the mark.
 *
 * A zombie whose transaction is open holds the lock; its successor waits until it commits, and then finds the mark, or until the
 * server has noticed that its connection is gone.
 *
 * A connection is not used again after an error: to close it also rolls back.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  from,
  ignoreElements,
  tap,
  type Observable,
  type ObservableInput,
} from 'rxjs';
import type { FlowOperator } from '../../flow/index.js';
import type { OutboxMark } from '../outbox/mark.js';
import { settingsOf } from '../outbox/options.js';
import { outboxOf } from '../outbox/outboxSink.js';
import type { PostgresClient, PostgresPoolClient } from './client.js';
import { failureOf } from './errors.js';
import { Marks } from './marks.js';
import {
  postgresNames,
  postgresSettingsOf,
  type PostgresSettings,
  type PostgresSinkOptions,
} from './options.js';
import { definition, insertion, rowsJson } from './table.js';

/**
 * Stores records as rows of PostgreSQL, each exactly once: rows and the mark of their batch are committed in one transaction.
 * Rows are appended, or replace others with the same key (`onConflict`), or your own statements store them (`write`).
 *
 * Values are sent as JSON and converted to the types of the columns: dates, bigints, binary data (`bytea`), lists and objects
 * (`json`, arrays), and `NaN` come through. A property that a record lacks is NULL.
 *
 * A lost connection, a deadlock or a server that starts is tried again; values that the server refuses are poison; any other
 * refusal ends the job. Options and errors are those of `outboxSink` besides, and `PostgresRefused`.
 *
 * @param id names the sink in checkpoints; keep it for the life of the job
 *
 * @example
 * ```ts
 * clicks.pipe(
 *   postgresSink('clicks', { pool, table: 'clicks', columns: ['user', 'day', 'clicks'], onConflict: ['user', 'day'] }),
 * );
 * ```
 */
export function postgresSink<A>(id: string, options: PostgresSinkOptions<A>): FlowOperator<A, never> {
  const settings = postgresSettingsOf(id, options);
  const { to } = settings;
  const database = new Database(id, settings);
  const shared = settingsOf<A>(
    'postgresSink',
    id,
    {
      ...options,
      target: typeof to === 'function' ? 'postgres:' : `postgres:${to.table.join('.')}`,
      publish: (rows, mark) => database.store(rows, mark),
    },
    { ...postgresNames, publish: true, target: true },
  );
  return outboxOf(id, shared);
}

class Database<A> {
  readonly #marks: Marks;
  readonly #write: (client: PostgresClient, rows: readonly A[]) => ObservableInput<unknown>;
  #missing: readonly string[];

  constructor(
    private readonly sink: string,
    private readonly settings: PostgresSettings<A>,
  ) {
    const { marks, to, createMarks, createTable } = settings;
    this.#marks = new Marks(marks);
    this.#missing = createMarks ? [this.#marks.definition] : [];
    if (typeof to === 'function') this.#write = to;
    else {
      const statement = insertion(to);
      this.#write = (client, rows) => client.query(statement, [rowsJson(rows, to.columns)]);
      if (createTable) this.#missing = [...this.#missing, definition(to)];
    }
  }

  /** Commits the rows with their mark, unless the database has them. */
  store(rows: readonly A[], mark: OutboxMark): Observable<never> {
    return this.#connected((client) => {
      const written = this.#marks
        .advance(client, mark)
        .pipe(concatMap((isNew) => (isNew ? this.#write(client, rows) : EMPTY)));
      return concat(
        this.#create(client),
        defer(() => client.query('BEGIN')),
        written,
        defer(() => client.query('COMMIT')),
      );
    }).pipe(
      catchError((error: unknown) => {
        throw failureOf(error, this.sink);
      }),
    );
  }

  #create(client: PostgresClient): Observable<unknown> {
    return from(this.#missing).pipe(
      concatMap((statement) => client.query(statement)),
      tap({
        complete: () => {
          this.#missing = [];
        },
      }),
    );
  }

  /** Runs `work` on a connection, which is closed if that fails, or is unsubscribed before its end. */
  #connected(work: (client: PostgresPoolClient) => Observable<unknown>): Observable<never> {
    return defer(() => {
      const connecting = this.settings.pool.connect();
      let done = false;
      const release = (client: PostgresPoolClient): void => {
        if (done) client.removeListener('error', ignore);
        client.release(!done);
      };
      return from(connecting).pipe(
        // A connection that ends between two statements emits an error, which the next one reports, too.
        tap((client) => {
          client.on('error', ignore);
        }),
        concatMap(work),
        ignoreElements(),
        tap({
          complete: () => {
            done = true;
          },
        }),
        finalize(() => {
          connecting.then(release, ignore);
        }),
      );
    });
  }
}

const ignore = (): void => undefined;
