import { concatMap, defer, map, of, type Observable } from 'rxjs';
import { isNewBatch, isPublished, type OutboxLastMark, type OutboxMark } from '../outbox/mark.js';
import { quoted, type PostgresClient } from './client.js';
import { markless, raced } from './errors.js';

type Stored = Readonly<
  Record<'epoch' | 'checkpoint' | 'sequence', string> & { origin: string | null; skipped: boolean | null }
>;

/** The maximum time that the upgrade waits for readers of the table. Other statements about marks are blocked until then. Milliseconds. */
const longestUpgrade = 1000;

/**
 * The table of marks: the last batch of each sink of each job. Each method is part of a transaction, and locks the row of the
 * sink until that ends, so another attempt waits for this one.
 *
 * Usually the row is as this process has committed it last; then one statement stores the next mark. Otherwise the row is read first.
 *
 * An earlier version of the library stores only numbers, and leaves `origin` and `skipped` as they were. So `origin` has the numbers of
 * its batch in front, and if they are not those of the row, neither column is about its batch.
 */
export class Marks {
  readonly #table: string;
  #committed: OutboxMark | undefined;

  constructor(name: readonly string[]) {
    this.#table = quoted(...name);
  }

  /** The statement that creates the table. */
  get definition(): string {
    return `CREATE TABLE IF NOT EXISTS ${this.#table} (job text, sink text, epoch bigint NOT NULL, checkpoint bigint NOT NULL, sequence bigint NOT NULL, origin text, skipped boolean, PRIMARY KEY (job, sink))`;
  }

  /** The statement that does the {@link upgrade} if the table lacks something. If it lacks nothing, the table is not locked. */
  get upgradeIfNeeded(): string {
    const missing = `(SELECT count(*) FROM pg_attribute WHERE attrelid = '${this.#table.replaceAll("'", "''")}'::regclass AND attname IN ('origin', 'skipped') AND NOT attisdropped) < 2`;
    const limit = `PERFORM set_config('lock_timeout', '${longestUpgrade}', true)`;
    return `DO $millrace$ BEGIN IF ${missing} THEN ${limit}; ${this.upgrade}; END IF; END $millrace$`;
  }

  /** The statement that adds what tables of earlier versions lack. */
  get upgrade(): string {
    return `ALTER TABLE ${this.#table} ADD COLUMN IF NOT EXISTS origin text, ADD COLUMN IF NOT EXISTS skipped boolean`;
  }

  /** Stores the mark if the batch is new, and emits whether it is. Errors: `LowerEpoch`, `TargetAhead`, `PostgresRefused`. */
  advance(client: PostgresClient, mark: OutboxMark): Observable<boolean> {
    const last = this.#committed;
    const follows =
      last?.jobId === mark.jobId &&
      last.epoch === mark.epoch &&
      (last.checkpoint - mark.checkpoint || last.sequence - mark.sequence) < 0;
    if (!follows) return this.#decide(client, mark);
    return this.#replace(client, mark, last).pipe(
      concatMap((isStored) => (isStored ? of(true) : this.#decide(client, mark))),
    );
  }

  /** Emits whether the rows of the batch are there. If not, its mark is stored without them, and they never will. Errors as {@link advance}. */
  published(client: PostgresClient, mark: OutboxMark): Observable<boolean> {
    return this.#last(client, mark).pipe(
      concatMap((last) =>
        isPublished(mark, last) ? of(true) : this.#store(client, mark, last, true).pipe(map(() => false)),
      ),
    );
  }

  /** A transaction that has stored this mark is committed. */
  committed(mark: OutboxMark): void {
    this.#committed = mark;
  }

  #decide(client: PostgresClient, mark: OutboxMark): Observable<boolean> {
    return this.#last(client, mark).pipe(
      concatMap((last) =>
        isNewBatch(mark, last)
          ? this.#store(client, mark, last, false).pipe(map(() => true))
          : this.#raise(client, mark).pipe(map(() => false)),
      ),
    );
  }

  #last(client: PostgresClient, { jobId, sink }: OutboxMark): Observable<OutboxLastMark | undefined> {
    const text = `SELECT epoch, checkpoint, sequence, origin, skipped FROM ${this.#table} WHERE job = $1 AND sink = $2 FOR UPDATE`;
    return defer(() => client.query(text, [jobId, sink])).pipe(
      map(({ rows }) => {
        const [last] = rows as readonly Stored[];
        return last === undefined ? undefined : lastMark(last);
      }),
    );
  }

  #store(
    client: PostgresClient,
    mark: OutboxMark,
    last: OutboxLastMark | undefined,
    skipped: boolean,
  ): Observable<unknown> {
    const { jobId, sink, epoch, checkpoint, sequence } = mark;
    const text =
      last === undefined
        ? `INSERT INTO ${this.#table} (job, sink, epoch, checkpoint, sequence, origin, skipped) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job, sink) DO NOTHING`
        : `UPDATE ${this.#table} SET epoch = $3, checkpoint = $4, sequence = $5, origin = $6, skipped = $7 WHERE job = $1 AND sink = $2`;
    const values = [jobId, sink, epoch, checkpoint, sequence, storedOrigin(mark), skipped];
    return defer(() => client.query(text, values)).pipe(
      concatMap(({ rowCount }) => (rowCount === 1 ? of(undefined) : this.#explain(client, mark))),
    );
  }

  #explain(client: PostgresClient, mark: OutboxMark): Observable<never> {
    return this.#last(client, mark).pipe(
      map((last) => {
        throw last === undefined ? markless(mark.sink, this.#table) : raced(mark.sink);
      }),
    );
  }

  /** Emits whether the row was as `last` says. */
  #replace(client: PostgresClient, mark: OutboxMark, last: OutboxMark): Observable<boolean> {
    const { jobId, sink, checkpoint, sequence, epoch } = mark;
    const text =
      `UPDATE ${this.#table} SET checkpoint = $4, sequence = $5, origin = $6, skipped = false ` +
      'WHERE job = $1 AND sink = $2 AND epoch = $3 AND checkpoint = $7 AND sequence = $8 AND origin = $9';
    const before = [last.checkpoint, last.sequence, storedOrigin(last)];
    const values = [jobId, sink, epoch, checkpoint, sequence, storedOrigin(mark), ...before];
    return defer(() => client.query(text, values)).pipe(map(({ rowCount }) => rowCount === 1));
  }

  /** From now on an earlier attempt is refused, although this one had nothing new. */
  #raise(client: PostgresClient, { jobId, sink, epoch }: OutboxMark): Observable<unknown> {
    const text = `UPDATE ${this.#table} SET epoch = $3 WHERE job = $1 AND sink = $2 AND epoch < $3`;
    return defer(() => client.query(text, [jobId, sink, epoch]));
  }
}

const numbersOf = ({ checkpoint, sequence }: Pick<Stored | OutboxMark, 'checkpoint' | 'sequence'>): string =>
  `${checkpoint}-${sequence}-`;

/** Without an origin, it still tells that `skipped` is about the batch. */
function storedOrigin(mark: OutboxMark): string {
  return numbersOf(mark) + (mark.origin ?? '');
}

function lastMark(stored: Stored): OutboxLastMark {
  const { epoch, checkpoint, sequence, origin, skipped } = stored;
  const numbers = numbersOf(stored);
  return {
    epoch: Number(epoch),
    checkpoint: Number(checkpoint),
    sequence: Number(sequence),
    ...(origin?.startsWith(numbers) && { origin: origin.slice(numbers.length), skipped }),
  };
}
