/** Targets of histories: one in memory, and a table of a real PostgreSQL, whose connections fail before or after a statement. */
import type { Pool, PoolClient } from 'pg';
import { defer, lastValueFrom } from 'rxjs';
import type { FlowOperator } from '../../../src/flow/index.js';
import { outboxSink } from '../../../src/sinks/outbox/outboxSink.js';
import type { PostgresPool, PostgresPoolClient } from '../../../src/sinks/postgres/client.js';
import { postgresSink } from '../../../src/sinks/postgres/index.js';
import type { InFlight } from '../../store/inFlight.js';
import type { Line } from '../harness.js';
import { outboxOptions, type OutboxTarget } from './history.js';
import { Target, type Meeting } from './target.js';

export class MemoryTarget implements OutboxTarget {
  readonly #target = new Target();
  meetings: Meeting[] = [];

  constructor() {
    this.#target.meet = () => this.meetings.shift() ?? 'take';
  }

  sink(_: InFlight, deadLetter: string): FlowOperator<Line, never> {
    const { publish, published } = this.#target;
    return outboxSink<Line>('out', { ...outboxOptions, publish, published, onPoison: { deadLetter } });
  }

  rows(): Promise<readonly string[]> {
    return Promise.resolve(this.#target.rows);
  }

  refuse(what: string): Promise<void> {
    this.#target.refuses = what;
    return Promise.resolve();
  }

  release(count: number): void {
    this.#target.release(count);
  }
}

type Counted = <T>(work: () => Promise<T>) => Promise<T>;

/** Its meetings are those of statements. What a zombie does not live to see cannot be held: `later` is `before`. */
export class TableTarget implements OutboxTarget {
  meetings: Meeting[] = [];

  constructor(private readonly pool: Pool) {}

  /** Empties the database. */
  static async open(pool: Pool): Promise<TableTarget> {
    await pool.query('DROP TABLE IF EXISTS lines, millrace_commits');
    await pool.query('CREATE TABLE lines (text text, at bigserial)');
    const target = new TableTarget(pool);
    await target.refuse('poison');
    return target;
  }

  sink(inFlight: InFlight, deadLetter: string): FlowOperator<Line, never> {
    const counted: Counted = (work) => lastValueFrom(inFlight.counted(defer(work)));
    const pool: PostgresPool = {
      connect: async () => this.#failing(await counted(() => this.pool.connect()), counted),
    };
    return postgresSink<Line>('out', {
      ...outboxOptions,
      pool,
      table: 'lines',
      columns: ['text'],
      createMarks: true,
      onPoison: { deadLetter },
    });
  }

  async rows(): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ text: string }>('SELECT text FROM lines ORDER BY at');
    return rows.map(({ text }) => text);
  }

  async refuse(what: string): Promise<void> {
    await this.pool.query('ALTER TABLE lines DROP CONSTRAINT IF EXISTS refused');
    await this.pool.query(
      `ALTER TABLE lines ADD CONSTRAINT refused CHECK (text NOT LIKE '%${what}%') NOT VALID`,
    );
  }

  release(): void {
    // Nothing is held.
  }

  #failing(client: PoolClient, counted: Counted): PostgresPoolClient {
    const lost = (): Error => Object.assign(new Error('read ECONNRESET'), { syscall: 'read' });
    return {
      query: (text, values) =>
        counted(async () => {
          const meeting = this.meetings.shift() ?? 'take';
          if (meeting !== 'take' && meeting !== 'after') throw lost();
          const result = await client.query(text, values);
          if (meeting === 'after') throw lost();
          return result;
        }),
      release: (destroy) => {
        client.release(destroy);
      },
      on: (event, listener) => client.on(event, listener),
      removeListener: (event, listener) => client.removeListener(event, listener),
    };
  }
}
