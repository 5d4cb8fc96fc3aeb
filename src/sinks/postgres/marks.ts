import { concatMap, defer, map, of, type Observable } from 'rxjs';
import { isNewBatch, type OutboxMark } from '../outbox/mark.js';
import { quoted, type PostgresClient } from './client.js';
import { markless } from './errors.js';

/** The table of marks: the last batch of each sink of each job. */
export class Marks {
  readonly #table: string;

  constructor(name: readonly string[]) {
    this.#table = quoted(...name);
  }

  /** The statement that creates the table. */
  get definition(): string {
    return `CREATE TABLE IF NOT EXISTS ${this.#table} (job text, sink text, epoch bigint NOT NULL, checkpoint bigint NOT NULL, sequence bigint NOT NULL, PRIMARY KEY (job, sink))`;
  }

  /**
   * Stores the mark if the batch is new, and emits whether it is. The row is locked until the transaction ends, so that another
   * attempt waits for this one. Errors: `LowerEpoch`, `PostgresRefused`.
   */
  advance(client: PostgresClient, mark: OutboxMark): Observable<boolean> {
    const { jobId, sink, epoch, checkpoint, sequence } = mark;
    const stored = defer(() =>
      client.query(
        `INSERT INTO ${this.#table} AS m (job, sink, epoch, checkpoint, sequence) VALUES ($1, $2, $3, $4, $5) ` +
          'ON CONFLICT (job, sink) DO UPDATE SET epoch = excluded.epoch, checkpoint = excluded.checkpoint, sequence = excluded.sequence ' +
          'WHERE m.epoch <= excluded.epoch AND (m.checkpoint, m.sequence) < (excluded.checkpoint, excluded.sequence)',
        [jobId, sink, epoch, checkpoint, sequence],
      ),
    );
    return stored.pipe(concatMap(({ rowCount }) => (rowCount === 1 ? of(true) : this.#refuse(client, mark))));
  }

  /** The database has the batch, or has seen a later attempt. */
  #refuse(client: PostgresClient, mark: OutboxMark): Observable<false> {
    const { jobId, sink, epoch } = mark;
    const where = `${this.#table} WHERE job = $1 AND sink = $2`;
    return defer(() => client.query(`SELECT epoch, checkpoint, sequence FROM ${where}`, [jobId, sink])).pipe(
      concatMap(({ rows }) => {
        const [last] = rows as readonly Readonly<Record<'epoch' | 'checkpoint' | 'sequence', string>>[];
        if (last === undefined) throw markless(sink, this.#table);
        isNewBatch(mark, {
          epoch: Number(last.epoch),
          checkpoint: Number(last.checkpoint),
          sequence: Number(last.sequence),
        });
        // From now on an earlier attempt is refused, although this one had nothing new.
        return client.query(
          `UPDATE ${this.#table} SET epoch = $3 WHERE job = $1 AND sink = $2 AND epoch < $3`,
          [jobId, sink, epoch],
        );
      }),
      map(() => false as const),
    );
  }
}
