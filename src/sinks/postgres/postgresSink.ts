/**
 * Rows for PostgreSQL: an outbox whose target is a database.
 *
 * A batch is one transaction:
 *
 * 1. BEGIN, with the sink's timeout for each statement, each lock and each pause between two statements: a try that is given up
 *    leaves nothing on the server that waits.
 * 2. The mark is stored in the table of marks, on condition that it comes after the last one, its epoch is not lower, and the job
 *    knows the last one. That locks the row of the sink. Otherwise the transaction ends here: the database has the batch, or refuses it
 *    with `LowerEpoch` or `TargetAhead`.
 * 3. The rows are stored, or your statements run. Meanwhile the next batch is decoded, and the JSON of its rows is made; nothing of it is
 *    sent before the answer to COMMIT.
 * 4. COMMIT. *Crash* before it: the server rolls back. *Crash* after it, or an answer that is lost: the next try finds the mark. The
 *    server answers ROLLBACK if a statement has failed and `write` caught its error: then nothing is stored, and the job ends.
 *
 * Before a batch goes to the dead letters (`published`), a transaction looks for its rows, and otherwise commits its mark alone. A try of the batch that is still on its way waits for the
 * lock, and then finds the mark; or it had the lock, and the batch is in the table, and not in the dead letters.
 *
 * A zombie whose transaction is open holds the lock; its successor waits until it commits, and then finds the mark, or until the
 * server has noticed that its connection is gone, or ends it after the timeout.
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
  of,
  tap,
  type Observable,
  type ObservableInput,
} from 'rxjs';
import type { MillraceError } from '../../errors.js';
import type { FlowOperator } from '../../flow/index.js';
import type { OutboxMark } from '../outbox/mark.js';
import { outboxSinkNames, settingsOf, type OutboxSettings } from '../outbox/options.js';
import { outboxOf } from '../outbox/outboxSink.js';
import { alongside } from '../outbox/readAhead.js';
import type { PostgresClient, PostgresPoolClient } from './client.js';
import {
  creationFailureOf,
  failureOf,
  marksFailureOf,
  rolledBack,
  upgradeFailureOf,
  writeFailureOf,
} from './errors.js';
import { Marks } from './marks.js';
import {
  postgresNames,
  postgresSettingsOf,
  type PostgresSettings,
  type PostgresSinkOptions,
} from './options.js';
import { rowsJson } from './rowsJson.js';
import { definition, insertion } from './table.js';

/**
 * Stores records as rows of PostgreSQL, each exactly once: rows and the mark of their batch are committed in one transaction.
 * Rows are appended, or replace others with the same key (`onConflict`), or your own statements store them (`write`).
 *
 * Values are sent as JSON and converted to the types of the columns: dates, bigints, binary data (`bytea`), lists and objects
 * (`json`, arrays), and `NaN` come through. A property that a record lacks is NULL.
 *
 * A lost connection, a deadlock or a server that starts is tried again; values that the server refuses are poison; any other
 * refusal ends the job. `timeout` limits each statement on the server as well. Options and errors are those of `outboxSink` besides, and `PostgresRefused`.
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
  const shared: OutboxSettings<A> = settingsOf<A>(
    'postgresSink',
    id,
    {
      ...options,
      target: typeof to === 'function' ? 'postgres:' : `postgres:${to.table.join('.')}`,
      publish: (rows, mark, _, { meanwhile }) => database.store(rows, mark, meanwhile),
      published: (_, mark) => database.published(mark),
    },
    { ...postgresNames, ...outboxSinkNames },
  );
  const database: Database<A> = new Database<A>(id, settings, shared.timeout);
  return outboxOf(id, { ...shared, prepare: database.prepare });
}

/** The server takes no longer ones. Milliseconds. */
const longestTimeout = 2 ** 31 - 1;

/** What a batch needs of its connection. */
interface Connection {
  readonly client: PostgresClient;
  /** Whether it broke. */
  readonly lost: () => boolean;
}

/** A statement that runs before the first transaction. */
interface Preparation {
  readonly statement: string;
  readonly failure: (error: unknown) => MillraceError;
}

class Database<A> {
  readonly #marks: Marks;
  readonly #begin: string;
  readonly #write: (connection: Connection, rows: readonly A[]) => Observable<unknown>;
  /** Does what `#write` does before its first statement. */
  readonly prepare: (rows: readonly A[]) => void;
  #missing: readonly Preparation[];

  constructor(
    private readonly sink: string,
    private readonly settings: PostgresSettings<A>,
    timeout: number,
  ) {
    const { marks, to, createMarks, createTable } = settings;
    this.#marks = new Marks(marks);
    this.#begin = begin(timeout);
    const creation = (statement: string): Preparation => ({
      statement,
      failure: (error) => creationFailureOf(error, sink),
    });
    const { definition: marksDefinition, upgradeIfNeeded, upgrade } = this.#marks;
    const ofMarks: Preparation = {
      statement: upgradeIfNeeded,
      failure: (error) => upgradeFailureOf(error, sink, upgrade),
    };
    this.#missing = createMarks ? [creation(marksDefinition), ofMarks] : [];
    if (typeof to === 'function') {
      this.prepare = ignore;
      this.#write = ({ client, lost }, rows) =>
        rethrown(
          () => to(client, rows),
          (error) => writeFailureOf(error, sink, lost()),
        );
    } else {
      const statement = insertion(to);
      const prepared = new WeakMap<readonly A[], string>();
      this.prepare = (rows) => prepared.set(rows, rowsJson(rows, to.columns));
      this.#write = ({ client }, rows) =>
        // Outside of `ours`: what fails here is no failure of the connection.
        defer(() => {
          const values = [prepared.get(rows) ?? rowsJson(rows, to.columns)];
          return this.#ours(() => client.query(statement, values));
        });
      if (createTable) this.#missing = [...this.#missing, creation(definition(to))];
    }
  }

  /**
   * Commits the rows with their mark, unless the database has them.
   *
   * @param meanwhile called while the server stores the rows
   */
  store(rows: readonly A[], mark: OutboxMark, meanwhile: () => void): Observable<never> {
    return this.#transaction((connection) =>
      this.#ofMarks(() => this.#marks.advance(connection.client, mark)).pipe(
        concatMap((isNew) => (isNew ? alongside(this.#write(connection, rows), meanwhile) : EMPTY)),
      ),
    ).pipe(
      tap({
        complete: () => {
          this.#marks.committed(mark);
        },
      }),
    );
  }

  /** Emits whether the database has the rows. If not, the mark is committed without them. */
  published(mark: OutboxMark): Observable<boolean> {
    let published = false;
    const work = this.#transaction(({ client }) =>
      this.#ofMarks(() => this.#marks.published(client, mark)).pipe(
        tap((is) => {
          published = is;
        }),
      ),
    );
    return concat(
      work,
      defer(() => of(published)),
    );
  }

  #transaction(work: (connection: Connection) => Observable<unknown>): Observable<never> {
    return this.#connected((connection) => {
      const { client } = connection;
      return concat(
        this.#create(client),
        this.#ours(() => client.query(this.#begin)),
        work(connection),
        this.#ours(() => client.query('COMMIT')).pipe(
          tap(({ command }) => {
            if (command !== 'COMMIT') throw rolledBack(this.sink);
          }),
        ),
      );
    });
  }

  #create(client: PostgresClient): Observable<unknown> {
    return from(this.#missing).pipe(
      concatMap(({ statement, failure }) => rethrown(() => client.query(statement), failure)),
      tap({
        complete: () => {
          this.#missing = [];
        },
      }),
    );
  }

  /** Statements about marks. */
  #ofMarks<T>(work: () => ObservableInput<T>): Observable<T> {
    return rethrown(work, (error) => marksFailureOf(error, this.sink, this.#marks.upgrade));
  }

  /** Statements of the sink. */
  #ours<T>(work: () => ObservableInput<T>): Observable<T> {
    return rethrown(work, (error) => failureOf(error, this.sink));
  }

  /** Runs `work` on a connection, which is closed if that fails, or is unsubscribed before its end. */
  #connected(work: (connection: Connection) => Observable<unknown>): Observable<never> {
    return defer(() => {
      const connecting = this.settings.pool.connect();
      let done = false;
      let lost = false;
      // A connection that ends between two statements emits an error, which the next one reports, too.
      const onError = (): void => {
        lost = true;
      };
      const release = (client: PostgresPoolClient): void => {
        if (done) client.removeListener('error', onError);
        client.release(!done);
      };
      return this.#ours(() => connecting).pipe(
        tap((client) => {
          client.on('error', onError);
        }),
        concatMap((client) => work({ client, lost: () => lost })),
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

/** Starts a transaction that waits for nothing longer than `timeout`, in one request. */
function begin(timeout: number): string {
  const most = Math.min(timeout, longestTimeout);
  const limits = ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'];
  return ['BEGIN', ...limits.map((name) => `SET LOCAL ${name} = ${most}`)].join('; ');
}

/** What `work` emits, with its errors mapped. */
function rethrown<T>(work: () => ObservableInput<T>, failure: (error: unknown) => unknown): Observable<T> {
  return defer(work).pipe(
    catchError((error: unknown) => {
      throw failure(error);
    }),
  );
}

const ignore = (): void => undefined;
