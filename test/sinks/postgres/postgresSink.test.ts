/** On a real PostgreSQL, which the test starts; skipped by name where it is not installed. */
import { Pool, type PoolClient } from 'pg';
import { lastValueFrom } from 'rxjs';
import {
  postgresSink,
  type PostgresClient,
  type PostgresPool,
  type PostgresSinkOptions,
} from '../../../src/sinks/postgres/index.js';
import { creationFailureOf, failureOf, writeFailureOf } from '../../../src/sinks/postgres/errors.js';
import type { OutboxMark } from '../../../src/sinks/outbox/mark.js';
import { Marks } from '../../../src/sinks/postgres/marks.js';
import { MillraceError } from '../../../src/errors.js';
import { JsonNumber } from '../../../src/formats/jsonNumbers.js';
import type { FlowOperator } from '../../../src/flow/index.js';
import { hasPostgres, startPostgres, type PostgresServer } from '../../processes/postgres.js';
import { Run, World, type Line } from '../harness.js';

/** The table of marks of an earlier version. */
const earlierMarks =
  'CREATE TABLE millrace_commits (job text, sink text, epoch bigint NOT NULL, checkpoint bigint NOT NULL, sequence bigint NOT NULL, PRIMARY KEY (job, sink))';

interface Row {
  readonly id: number;
  readonly user: string;
}

if (!hasPostgres) process.stderr.write('NO POSTGRESQL: it is not installed here, so its tests do not run.\n');
const withServer = hasPostgres ? describe : describe.skip;

withServer('rows in PostgreSQL', () => {
  let server: PostgresServer;
  let pool: Pool;

  beforeAll(async () => {
    server = await startPostgres();
  });
  beforeEach(async () => {
    pool = server.pool();
    await pool.query('DROP TABLE IF EXISTS visits, millrace_commits CASCADE');
    await pool.query('CREATE TABLE visits (id bigint, "user" text)');
  });
  // Whatever a test fails with, or if it takes too long: a pool ends when all of its connections are back. The server has few of them.
  afterEach(async () => {
    for (const run of runs.splice(0)) run.stop();
    for (const client of clients.splice(0)) client.release(true);
    await pool.end();
  });
  afterAll(async () => {
    await server.close();
  });

  const clients: PoolClient[] = [];
  /** A connection until the end of the test, which also rolls back. */
  const connected = async (): Promise<PoolClient> => {
    const client = await pool.connect();
    clients.push(client);
    return client;
  };
  const runs: Run[] = [];
  const start = (world: World, options: Partial<PostgresSinkOptions<Row>> = {}): Run => {
    const run = new Run(world, {
      auto: false,
      operator: postgresSink<Row>('out', {
        pool: pool,
        table: 'visits',
        columns: ['id', 'user'],
        createMarks: true,
        maxBatch: { records: 2 },
        retry: { tries: 100, initial: 1000, max: 1000 },
        timeout: '1d',
        ...options,
      } as PostgresSinkOptions<Row>) as unknown as FlowOperator<Line, never>,
    });
    runs.push(run);
    return run;
  };
  const write = (run: Run, ...rows: object[]): void => {
    for (const row of rows) run.record(row);
  };
  const rows = async (): Promise<unknown[]> => {
    const { rows: found } = await pool.query<{ id: string; user: string }>(
      'SELECT * FROM visits ORDER BY id, "user"',
    );
    return found.map(({ id, user }) => [Number(id), user]);
  };
  /** Lets the server answer until `done`; waits for retries pass immediately. */
  const until = async (world: World, done: () => boolean): Promise<void> => {
    while (!done()) {
      await new Promise((resolve) => setImmediate(resolve));
      world.clock.advance(1000);
    }
  };
  /** A batch that is tried that often, or ended the job, which is an error here. */
  const retried = async (world: World, run: Run, times: number): Promise<readonly { error?: unknown }[]> => {
    const events = () => run.events.filter(({ type }) => type === 'publish-retried');
    run.barrier();
    run.durable();
    await until(world, () => events().length >= times || run.error !== undefined);
    expect(run.error).toBeUndefined();
    return events() as readonly { error?: unknown }[];
  };
  /** Until the server has as many of these backends. */
  const counted = async (which: string, expected: number): Promise<void> => {
    for (;;) {
      const { rows: found } = await pool.query<{ n: string }>(
        `SELECT count(*) AS n FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ${which}`,
      );
      if (Number(found[0]?.n) === expected) return;
    }
  };
  const published = async (world: World, run: Run): Promise<void> => {
    run.barrier();
    run.durable();
    await until(world, () => run.pending.length === 0 || run.error !== undefined);
  };

  test('are appended in order, and the mark is that of the last batch', async () => {
    const world = new World();
    const run = start(world);
    write(run, { id: 1, user: 'a' }, { id: 2, user: 'b' }, { id: 3, user: 'c' });
    await published(world, run);
    expect(run.error).toBeUndefined();
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
    const { rows: marks } = await pool.query('SELECT * FROM millrace_commits');
    expect(marks).toEqual([
      {
        ...{ job: world.jobId, sink: 'out', epoch: '1', checkpoint: '1', sequence: '1' },
        ...{ origin: expect.stringMatching(/^1-1-[a-z0-9]+$/) as string, skipped: false },
      },
    ]);
    run.stop();
  });

  test('replace those with the same key, the last one of a batch included', async () => {
    await pool.query('CREATE UNIQUE INDEX ON visits ("user")');
    const world = new World();
    const run = start(world, { onConflict: ['user'], maxBatch: { records: 10 } });
    write(run, { id: 1, user: 'a' }, { id: 2, user: 'b' }, { id: 3, user: 'a' });
    await published(world, run);
    write(run, { id: 4, user: 'b' });
    await published(world, run);
    expect(run.error).toBeUndefined();
    expect(await rows()).toEqual([
      [3, 'a'],
      [4, 'b'],
    ]);
    run.stop();
  });

  test('are stored by statements of yours, in the transaction of the mark', async () => {
    const world = new World();
    let failures = 1;
    const run = start(world, {
      table: undefined,
      columns: undefined,
      write: async (client: PostgresClient, batch: readonly Row[]) => {
        for (const { id, user } of batch)
          await client.query('INSERT INTO visits VALUES ($1, $2)', [id, user]);
        if (failures-- > 0) throw new Error('of a callback');
      },
    } as never);
    write(run, { id: 1, user: 'a' }, { id: 2, user: 'b' });
    await published(world, run);
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    run.stop();
  });

  const yours: PostgresSinkOptions<Row>['write'] = (client, batch) =>
    client.query('INSERT INTO visits SELECT $1', [batch[0]?.id]);
  test.each<[string, object]>([
    ['the sink', {}],
    ['yours', { table: undefined, columns: undefined, write: yours }],
  ])(
    'while the server runs a statement of %s, the next batch is decoded, and no more',
    async (_, options) => {
      const world = new World();
      const log: (string | number)[] = [];
      let durable = false;
      const serializer = {
        id: 'noting',
        version: 1,
        encode: (row: Row) => Buffer.from(JSON.stringify(row)),
        decode: (bytes: Uint8Array) => {
          const row = JSON.parse(Buffer.from(bytes).toString()) as Row;
          if (durable) log.push(row.id);
          return row;
        },
      };
      const run = start(world, { ...options, pool: noting(pool, log), serializer });
      for (let id = 1; id <= 6; id++) write(run, { id, user: 'a' });
      run.barrier();
      durable = true;
      run.durable();
      await until(world, () => run.events.some(({ type }) => type === 'committed'));
      expect(log).toEqual([
        ...[1, 2, 'INSERT', 3, 4, 'answered', 'COMMIT'],
        ...['INSERT', 5, 6, 'answered', 'COMMIT'],
        ...['INSERT', 'answered', 'COMMIT'],
      ]);
    },
  );

  test('values of all kinds come through', async () => {
    await pool.query(
      'CREATE TABLE "Odd ""names""" ("a b" bigint, big numeric, at timestamptz, bytes bytea, doc jsonb, tags text[], f double precision, flag boolean, missing text)',
    );
    const value = {
      'a b': 9007199254740993n,
      big: 123456789012345678901234567890n,
      at: new Date('2026-01-02T03:04:05.678Z'),
      bytes: Buffer.from([0, 1, 255]),
      doc: { a: [1, 'x', null], b: { c: true } },
      tags: ['x', 'y "z"'],
      f: NaN,
      flag: true,
    };
    const world = new World();
    const run = start(world, { table: 'Odd "names"', columns: [...Object.keys(value), 'missing'] } as never);
    write(run, value);
    await published(world, run);
    expect(run.error).toBeUndefined();
    const { rows: found } = await pool.query('SELECT * FROM "Odd ""names"""');
    expect(found).toEqual([
      {
        ...value,
        'a b': '9007199254740993',
        big: '123456789012345678901234567890',
        missing: null,
      },
    ]);
    run.stop();
    await pool.query('DROP TABLE "Odd ""names"""');
  });

  test('values within lists and objects come through, and numbers with all digits', async () => {
    await pool.query(
      'CREATE TABLE nested (blobs bytea[], big bigint[], reals float8[], exact numeric, doc jsonb)',
    );
    const world = new World();
    const columns = ['blobs', 'big', 'reals', 'exact', 'doc'];
    const run = start(world, { table: 'nested', columns } as never);
    write(run, {
      blobs: [new Uint8Array([1, 2])],
      big: [9007199254740993n],
      reals: [1, NaN, -Infinity],
      exact: new JsonNumber('12345678901234567890.12'),
      doc: { id: 9007199254740993n, bytes: Buffer.from([255]) },
    });
    await published(world, run);
    expect(run.error).toBeUndefined();
    const { rows: found } = await pool.query<object>('SELECT *, doc::text FROM nested');
    expect(found).toEqual([
      {
        blobs: [Buffer.from([1, 2])],
        big: ['9007199254740993'],
        reals: [1, NaN, -Infinity],
        exact: '12345678901234567890.12',
        doc: '{"id": 9007199254740993, "bytes": "\\\\xff"}',
      },
    ]);
    run.stop();
    await pool.query('DROP TABLE nested');
  });

  test.each([
    ['a Map', new Map([['a', 1]]), 'Map at user.at'],
    ['a Set', new Set([1]), 'Set at user.at'],
  ])('%s has no form, so the batch is poison', async (_, at, message) => {
    const world = new World();
    const run = start(world);
    write(run, { id: 1, user: { at } });
    await published(world, run);
    expect(run.error).toMatchObject({ code: 'PoisonBatch', cause: { code: 'PoisonBatch' } });
    expect(((run.error as Error).cause as Error).message).toContain(message);
    expect(await rows()).toEqual([]);
    run.stop();
  });

  test('with NULL in the key have no equal, as in a unique index, also beside a column named ordinality', async () => {
    await pool.query('CREATE TABLE pairs (a bigint, b bigint, ordinality bigint, UNIQUE (a, b))');
    const world = new World();
    const run = start(world, {
      table: 'pairs',
      columns: ['a', 'b', 'ordinality'],
      onConflict: ['a', 'b'],
      maxBatch: { records: 10 },
    } as never);
    const all = [
      [null, 1, 1],
      [null, 1, 2],
      [null, null, 3],
      [null, null, 4],
      [1, 1, 5],
      [1, 1, 6],
    ];
    write(run, ...all.map(([a, b, ordinality]) => ({ a, b, ordinality })));
    await published(world, run);
    expect(run.error).toBeUndefined();
    const { rows: found } = await pool.query<{ ordinality: string }>(
      'SELECT * FROM pairs ORDER BY ordinality',
    );
    expect(found.map(({ ordinality }) => Number(ordinality))).toEqual([1, 2, 3, 4, 6]);
    run.stop();
    await pool.query('DROP TABLE pairs');
  });

  test('whose transaction rolled back at COMMIT, after an error that `write` caught, end the job', async () => {
    const world = new World();
    const run = start(world, {
      table: undefined,
      columns: undefined,
      write: async (client: PostgresClient) => {
        await client.query('INSERT INTO visits VALUES (1)');
        await client.query('SELECT 1 / 0').catch(() => undefined);
      },
    } as never);
    write(run, { id: 1, user: 'a' });
    await published(world, run);
    expect(run.error).toMatchObject({ code: 'PostgresRefused', retryable: false });
    expect(String(run.error)).toContain('SAVEPOINT');
    expect(await rows()).toEqual([]);
  });

  test('an error that `write` caught after a SAVEPOINT does no harm', async () => {
    const world = new World();
    const run = start(world, {
      table: undefined,
      columns: undefined,
      write: async (client: PostgresClient) => {
        await client.query("INSERT INTO visits VALUES (1, 'a')");
        await client.query('SAVEPOINT s');
        await client.query('SELECT 1 / 0').catch(() => client.query('ROLLBACK TO s'));
      },
    } as never);
    write(run, { id: 1, user: 'a' });
    await published(world, run);
    expect(run.error).toBeUndefined();
    expect(await rows()).toEqual([[1, 'a']]);
    run.stop();
  });

  test('wait for a table that another process creates at the same time', async () => {
    const other = await connected();
    await other.query('BEGIN; CREATE TABLE millrace_commits (job text)');
    const world = new World();
    const run = start(world, { retry: { tries: 2, initial: 1000, max: 1000 } });
    write(run, { id: 1, user: 'a' });
    run.barrier();
    run.durable();
    const isWaiting = "query LIKE 'CREATE TABLE IF%' AND wait_event_type = 'Lock'";
    await counted(isWaiting, 1);
    await other.query(
      'ALTER TABLE millrace_commits ADD sink text, ADD epoch bigint, ADD checkpoint bigint, ADD sequence bigint, ADD PRIMARY KEY (job, sink)',
    );
    await other.query('COMMIT');
    await until(world, () => run.pending.length === 0 || run.error !== undefined);
    expect(run.error).toBeUndefined();
    expect(run.events.filter(({ type }) => type === 'publish-retried')).toMatchObject([
      { error: { code: 'PublishFailed', cause: { code: '23505' } } },
    ]);
    expect(await rows()).toEqual([[1, 'a']]);
    run.stop();
  });

  test('are given up by the server as well after the timeout', async () => {
    await pool.query('CREATE TABLE seen (name text, value text)');
    const names = ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'];
    const world = new World();
    const run = start(world, {
      table: undefined,
      columns: undefined,
      timeout: '20d',
      write: async (client: PostgresClient) => {
        for (const name of names)
          await client.query('INSERT INTO seen VALUES ($1, current_setting($1))', [name]);
      },
    } as never);
    write(run, { id: 1, user: 'a' });
    await published(world, run);
    expect(run.error).toBeUndefined();
    const { rows: seen } = await pool.query('SELECT * FROM seen');
    expect(seen).toEqual(names.map((name) => ({ name, value: '20d' })));
    run.stop();
    await pool.query('DROP TABLE seen');

    // The one that is given up waits for the lock of a zombie.
    const zombie = await connected();
    await zombie.query('BEGIN; SELECT * FROM millrace_commits FOR UPDATE');
    const next = start(world, { timeout: 100 });
    write(next, { id: 2, user: 'b' });
    next.barrier();
    next.durable();
    const isWaiting = "query LIKE 'SELECT epoch%' AND wait_event_type = 'Lock'";
    await counted(isWaiting, 1);
    next.stop();
    await counted(isWaiting, 0);
    await zombie.query('ROLLBACK');
  });

  test('whose mark a trigger drops are not taken for published', async () => {
    const world = new World();
    const first = start(world);
    write(first, { id: 1, user: 'a' });
    await published(world, first);
    first.stop();
    await pool.query('DELETE FROM millrace_commits');
    await pool.query(
      "CREATE OR REPLACE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    await pool.query(
      'CREATE TRIGGER t BEFORE INSERT ON millrace_commits FOR EACH ROW EXECUTE FUNCTION nothing()',
    );
    const run = start(world);
    write(run, { id: 2, user: 'b' });
    await published(world, run);
    expect(run.error).toMatchObject({ code: 'PostgresRefused' });
    expect(String(run.error)).toContain('did not store the mark');
  });

  test('whatever connecting fails with is tried again, and is never poison', async () => {
    const ended = new Pool({ connectionString: server.url });
    await ended.end();
    const pools: PostgresPool[] = [ended];
    for (const code of ['EAI_AGAIN', 'EPIPE', 'SELF_SIGNED_CERT_IN_CHAIN', undefined])
      pools.push({ connect: () => Promise.reject(errorOf(code)) });
    for (const broken of pools) {
      const world = new World();
      const run = start(world, { pool: broken, retry: { tries: 2, initial: 1000, max: 1000 } });
      write(run, { id: 1, user: 'a' });
      for (const { error } of await retried(world, run, 3)) {
        expect(error).toMatchObject({ code: 'PublishFailed', retryable: true });
        expect(String(error)).not.toContain('data');
      }
      run.stop();
    }
  });

  test('whose connection breaks within `write` are tried again, whatever that makes of it', async () => {
    const world = new World();
    const run = start(world, {
      table: undefined,
      columns: undefined,
      retry: { tries: 2, initial: 1000, max: 1000 },
      write: async (client: PostgresClient) => {
        await client.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
        await client.query('SELECT 1').catch(() => {
          throw new Error('of a wrapper');
        });
      },
    } as never);
    write(run, { id: 1, user: 'a' });
    for (const { error } of await retried(world, run, 3))
      expect(error).toMatchObject({ code: 'PublishFailed', cause: { message: 'of a wrapper' } });
    run.stop();
  });

  test('go to a table that is created when asked', async () => {
    await pool.query('DROP TABLE visits');
    const world = new World();
    const columns = { id: 'bigint', user: 'text' };
    const options = { columns, onConflict: ['user'], createTable: true } as never;
    const run = start(world, options);
    write(run, { id: 1, user: 'a' }, { id: 2, user: 'a' });
    await published(world, run);
    expect(await rows()).toEqual([[2, 'a']]);
    run.stop();
  });

  test('a connection that breaks before or after any statement is tried again: each row is there once', async () => {
    for (let at = 1; at <= 11; at++)
      for (const when of ['before', 'after'] as const) {
        await pool.query('TRUNCATE visits; DROP TABLE IF EXISTS millrace_commits');
        const world = new World();
        const first = start(world, { pool: breaking(pool, at, when) });
        write(first, { id: 1, user: 'a' }, { id: 2, user: 'b' }, { id: 3, user: 'c' });
        await published(world, first);
        expect(first.error).toBeUndefined();
        expect(await rows()).toEqual([
          [1, 'a'],
          [2, 'b'],
          [3, 'c'],
        ]);
        first.stop();
      }
  });

  test('a server that crashes is waited for', async () => {
    const world = new World();
    const run = start(world);
    write(run, { id: 1, user: 'a' });
    await published(world, run);
    await server.crash();
    write(run, { id: 2, user: 'b' });
    await published(world, run);
    expect(run.error).toBeUndefined();
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    run.stop();
  });

  test('an attempt that is over is refused, also while its transaction waits for the next one', async () => {
    const world = new World();
    const zombie = start(world);
    write(zombie, { id: 1, user: 'a' }, { id: 2, user: 'b' }, { id: 3, user: 'c' });
    zombie.barrier();
    zombie.durable(false);
    const next = start(world);
    await until(world, () => next.pending.length === 0);
    zombie.commit();
    await until(world, () => zombie.error !== undefined);
    expect(zombie.error).toMatchObject({ code: 'LowerEpoch' });
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
    next.stop();
  });

  test('a log that was restored from a backup ends the job, before a batch is taken for another one', async () => {
    const world = new World();
    const first = start(world);
    write(first, { id: 1, user: 'a' });
    await published(world, first);
    first.settle();
    const restore = world.backup();
    write(first, { id: 2, user: 'b' });
    await published(world, first);
    first.stop();
    restore();
    for (let attempt = 0; attempt < 3; attempt++) {
      const next = start(world);
      write(next, { id: 3, user: 'c' });
      await published(world, next);
      expect(next.error).toMatchObject({ code: 'TargetAhead', retryable: false });
    }
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    // As the message advises.
    await pool.query('DELETE FROM millrace_commits');
    const last = start(world);
    await published(world, last);
    expect(last.error).toBeUndefined();
    expect((await rows()).slice(0, 3)).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
    last.stop();
  });

  test('marks in a table of an earlier version are read, once it has the columns that it lacks', async () => {
    await pool.query(earlierMarks);
    const world = new World();
    await pool.query(`INSERT INTO millrace_commits VALUES ('${world.jobId}', 'out', 1, 1, 0)`);
    const first = start(world, { createMarks: false });
    write(first, { id: 1, user: 'a' }, { id: 2, user: 'b' }, { id: 3, user: 'c' });
    await published(world, first);
    expect(first.error).toMatchObject({ code: 'PostgresRefused', retryable: false });
    const { message } = first.error as Error;
    const [alter = ''] = /ALTER TABLE [^;]*/.exec(message) ?? [];
    await pool.query(alter);
    const next = start(world, { createMarks: false });
    await published(world, next);
    expect(next.error).toBeUndefined();
    // The mark says that the first batch is there.
    expect(await rows()).toEqual([[3, 'c']]);
    next.stop();
    await pool.query('ALTER TABLE millrace_commits DROP origin, DROP skipped');
    const last = start(world);
    write(last, { id: 4, user: 'd' });
    await published(world, last);
    expect(last.error).toBeUndefined();
    expect(await rows()).toHaveLength(2);
    last.stop();
  });

  test('marks in a table of an earlier version wait a second for its readers, whatever the timeout', async () => {
    await pool.query(earlierMarks);
    const reader = await connected();
    await reader.query('BEGIN');
    await reader.query('SELECT * FROM millrace_commits');
    const world = new World();
    const run = start(world);
    write(run, { id: 1, user: 'a' });
    run.barrier();
    run.durable();
    const failed = () => run.events.find(({ type }) => type === 'publish-retried');
    // The clock of the job stands still: it is the server that gives up.
    while (failed() === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(String((failed() as { error?: unknown }).error)).toContain('SQLSTATE 55P03');
    await counted("wait_event_type = 'Lock'", 0);
    await reader.query('COMMIT');
    await until(world, () => run.pending.length === 0 || run.error !== undefined);
    expect(run.error).toBeUndefined();
    expect(await rows()).toEqual([[1, 'a']]);
    run.stop();
  });

  test('a table of marks that lacks nothing is not locked at the start', async () => {
    const marks = new Marks(['millrace_commits']);
    await pool.query(marks.definition);
    const other = await connected();
    await other.query('BEGIN; LOCK TABLE millrace_commits IN ACCESS EXCLUSIVE MODE');
    await pool.query(marks.definition);
    await pool.query(marks.upgradeIfNeeded);
    await other.query('ROLLBACK');
  });

  test('a table of marks of an earlier version is named to a user who does not own it', async () => {
    await pool.query(earlierMarks);
    await pool.query(
      'CREATE ROLE app LOGIN; GRANT ALL ON millrace_commits, visits TO app; GRANT CREATE ON SCHEMA public TO app',
    );
    const app = new Pool({ connectionString: server.url.replace('tester', 'app') });
    try {
      const world = new World();
      const run = start(world, { pool: app });
      write(run, { id: 1, user: 'a' });
      await published(world, run);
      expect(run.error).toMatchObject({ code: 'PostgresRefused', retryable: false });
      const { message } = run.error as Error;
      const [, alter = ''] = /Its owner must run: (ALTER TABLE [^;]*);/.exec(message) ?? [];
      await pool.query(alter);
      const next = start(world, { pool: app });
      await published(world, next);
      expect(next.error).toBeUndefined();
      expect(await rows()).toEqual([[1, 'a']]);
      next.stop();
    } finally {
      await app.end();
      await pool.query('DROP OWNED BY app; DROP ROLE app');
    }
  });

  test('what an earlier version leaves in a mark is not taken for that of its own batches', async () => {
    await pool.query(new Marks(['millrace_commits']).definition);
    const client = await connected();
    const marks = () => new Marks(['millrace_commits']);
    const mark = (epoch: number, sequence: number): OutboxMark => ({
      ...{ jobId: 'job', sink: 'out', checkpoint: 6, sequence, epoch, origin: 'b' },
      history: [{ origin: 'b', epoch: 2, from: 6 }],
    });
    const earlier = (epoch: number, sequence: number) =>
      client.query(`UPDATE millrace_commits SET epoch = ${epoch}, checkpoint = 6, sequence = ${sequence}`);
    const before = { ...mark(1, 0), checkpoint: 5, origin: 'a', history: [] };
    expect(await lastValueFrom(marks().advance(client, before))).toBe(true);
    await earlier(3, 0);
    expect(await lastValueFrom(marks().advance(client, mark(4, 0)))).toBe(false);
    expect(await lastValueFrom(marks().published(client, mark(4, 1)))).toBe(false);
    await earlier(5, 2);
    expect(await lastValueFrom(marks().advance(client, mark(6, 2)))).toBe(false);
    expect(await lastValueFrom(marks().published(client, mark(6, 2)))).toBe(true);
    // Of a batch without an origin, too, it is known that it was skipped.
    const { origin, ...without } = mark(6, 3);
    expect(origin).toBe('b');
    expect(await lastValueFrom(marks().published(client, without))).toBe(false);
    await expect(lastValueFrom(marks().advance(client, mark(7, 3)))).rejects.toMatchObject({
      code: 'PoisonBatch',
    });
  });

  test('the mark of a poison batch is stored without its rows', async () => {
    await pool.query('ALTER TABLE visits ADD CHECK (id > 0)');
    const world = new World();
    const run = start(world, { onPoison: { deadLetter: 'memory://lake/rejects' } });
    write(run, { id: -1, user: 'a' });
    run.barrier();
    run.durable();
    await until(world, () => run.pending.some(({ poison }) => poison !== undefined));
    const marks = async () =>
      (await pool.query<object>('SELECT checkpoint, sequence, skipped FROM millrace_commits')).rows;
    expect(await marks()).toEqual([]);
    run.settle();
    await until(world, () => run.pending.length === 0 || run.error !== undefined);
    expect(run.error).toBeUndefined();
    expect(await marks()).toEqual([{ checkpoint: '1', sequence: '0', skipped: true }]);
    expect(world.keys('rejects')).toHaveLength(1);
    run.stop();
  });

  test('a try that arrives late finds that its batch was skipped, or is waited for and not skipped', async () => {
    const mark = { jobId: 'job', sink: 'out', checkpoint: 1, sequence: 0, epoch: 1, origin: 'a' };
    const marks = () => new Marks(['millrace_commits']);
    await pool.query(marks().definition);
    const [late, skipping] = [await connected(), await connected()];

    await skipping.query('BEGIN');
    expect(await lastValueFrom(marks().published(skipping, mark))).toBe(false);
    await late.query('BEGIN');
    const refused = lastValueFrom(marks().advance(late, mark)).catch((error: unknown) => error);
    await counted("query LIKE 'INSERT INTO%' AND wait_event_type = 'Lock'", 1);
    await skipping.query('COMMIT');
    // It meets a mark that was not there when it looked, and is tried again.
    expect(await refused).toMatchObject({ code: 'PublishFailed' });
    await late.query('ROLLBACK');
    await late.query('BEGIN');
    await expect(lastValueFrom(marks().advance(late, mark))).rejects.toMatchObject({ code: 'PoisonBatch' });
    await late.query('ROLLBACK');
    expect(await lastValueFrom(marks().published(skipping, mark))).toBe(false);

    const next = { ...mark, sequence: 1 };
    await late.query('BEGIN');
    expect(await lastValueFrom(marks().advance(late, next))).toBe(true);
    await skipping.query('BEGIN');
    const published = lastValueFrom(marks().published(skipping, next));
    await counted("query LIKE 'SELECT epoch%' AND wait_event_type = 'Lock'", 1);
    await late.query('COMMIT');
    expect(await published).toBe(true);
    await skipping.query('COMMIT');
  });

  test('values that the server refuses are poison, without a word of them in the message', async () => {
    await pool.query('ALTER TABLE visits ADD CHECK (id > 0)');
    const world = new World();
    const run = start(world, { onPoison: { deadLetter: 'memory://lake/rejects' } });
    write(
      run,
      { id: 1, user: 'a' },
      { id: 2, user: 'b' },
      { id: -3, user: 'secret' },
      { id: 4, user: 'd' },
      { id: 5, user: 'e' },
    );
    run.barrier();
    run.durable();
    await until(world, () => run.pending.some(({ poison }) => poison !== undefined));
    run.settle();
    await until(world, () => run.pending.length === 0 || run.error !== undefined);
    expect(run.error).toBeUndefined();
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'b'],
      [5, 'e'],
    ]);
    const [header = '', ...lines] = world.content(world.keys('rejects')[0]!).trim().split('\n');
    expect(header).toContain('SQLSTATE 23514: schema public, table visits, constraint visits_id_check');
    expect(header).not.toContain('secret');
    expect(lines).toHaveLength(2);
    run.stop();
  });

  test('a table that does not exist ends the job', async () => {
    const world = new World();
    const run = start(world, { table: 'nowhere' });
    write(run, { id: 1, user: 'a' });
    await published(world, run);
    expect(run.error).toMatchObject({ code: 'PostgresRefused', retryable: false });
    expect(String(run.error)).toContain('42P01');
    expect(String(run.error)).toContain('"relation "nowhere" does not exist"');
  });

  test('a batch that takes too long is given up, and its connection is closed', async () => {
    const world = new World();
    const run = start(world, {
      table: undefined,
      columns: undefined,
      write: (client: { query(text: string): Promise<unknown> }) => client.query('SELECT pg_sleep(1000)'),
    } as never);
    write(run, { id: 1, user: 'a' });
    run.barrier();
    run.durable();
    const active = async (): Promise<boolean> => {
      const { rows: found } = await pool.query<{ n: string }>(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'",
      );
      return found[0]?.n === '1';
    };
    while (!(await active()));
    run.stop();
    await pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
    );
    const { rows: found } = await pool.query('SELECT 1 AS one');
    expect(found).toEqual([{ one: 1 }]);
    expect(pool.totalCount).toBe(1);
  });
});

/** A pool that notes when a statement about the rows is sent and answered, and COMMIT. */
function noting(pool: Pool, log: (string | number)[]): PostgresPool {
  return {
    connect: async () => {
      const client = await pool.connect();
      return {
        query: (text, values) => {
          const isInsert = /^INSERT INTO "?visits/.test(text);
          if (isInsert) log.push('INSERT');
          if (text === 'COMMIT') log.push(text);
          const answer = client.query(text, values);
          return isInsert ? answer.finally(() => log.push('answered')) : answer;
        },
        release: (destroy) => {
          client.release(destroy);
        },
        on: (event, listener) => client.on(event, listener),
        removeListener: (event, listener) => client.removeListener(event, listener),
      };
    },
  };
}

/** A pool whose `at`-th statement meets a connection that breaks, before or after the server has run it. */
function breaking(pool: Pool, at: number, when: 'before' | 'after'): PostgresPool {
  let statements = 0;
  return {
    connect: async () => {
      const client = await pool.connect();
      return {
        query: async (text, values) => {
          const now = ++statements === at;
          const broken = new Error('Connection terminated unexpectedly');
          if (now && when === 'before') throw broken;
          const answer = await client.query(text, values);
          if (now) throw broken;
          return answer;
        },
        release: (destroy) => {
          client.release(destroy);
        },
        on: (event, listener) => client.on(event, listener),
        removeListener: (event, listener) => client.removeListener(event, listener),
      };
    },
  };
}

const errorOf = (code: unknown, message = 'a message with data', more: object = {}): Error =>
  Object.assign(new Error(message), code === undefined ? {} : { code }, more);
/** As `pg` makes them of answers of the server. */
const databaseError = (code: string): Error => errorOf(code, undefined, { severity: 'ERROR' });

test.each([
  ['08006', 'PublishFailed'],
  ['25006', 'PublishFailed'],
  ['25P03', 'PublishFailed'],
  ['40001', 'PublishFailed'],
  ['40P01', 'PublishFailed'],
  ['53300', 'PublishFailed'],
  ['57P01', 'PublishFailed'],
  ['57014', 'PublishFailed'],
  ['22P02', 'PoisonBatch'],
  ['23505', 'PoisonBatch'],
  ['54000', 'PoisonBatch'],
  ['P0001', 'PoisonBatch'],
  ['28P01', 'PostgresRefused'],
  ['42P01', 'PostgresRefused'],
  ['42501', 'PostgresRefused'],
])('an error %s of the server is %s, also in `write`', (code, expected) => {
  for (const find of [failureOf, (error: unknown) => writeFailureOf(error, 'out', false)]) {
    const found = find(databaseError(code), 'out') as MillraceError;
    expect(found).toBeInstanceOf(MillraceError);
    expect(found.code).toBe(expected);
    expect(found.message.includes('a message with data')).toBe(expected === 'PostgresRefused');
  }
});

test('an error has the names of what it is about, and the text about a statement, but never detail and hint', () => {
  const more = {
    severity: 'ERROR',
    table: 't',
    column: 'c',
    dataType: 'int4',
    detail: 'Row (1, x)',
    hint: 'x?',
  };
  const { message } = failureOf(errorOf('42804', `no\ncolumn${'!'.repeat(400)}`, more), 'out');
  expect(message).toContain('(SQLSTATE 42804: table t, column c, type int4): "no column!!!');
  expect(message).not.toContain('x?');
  expect(message).not.toContain('Row');
  expect(message.length).toBeLessThan(600);
});

test.each(['23505', '42710', '42P07'])('an error %s of CREATE TABLE is tried again', (code) => {
  expect(creationFailureOf(databaseError(code), 'out')).toMatchObject({ code: 'PublishFailed' });
});

test('other errors of CREATE TABLE are as those of any statement', () => {
  expect(creationFailureOf(databaseError('42501'), 'out')).toMatchObject({ code: 'PostgresRefused' });
});

test.each(['ECONNREFUSED', 'EAI_AGAIN', 'EPIPE', 'SELF_SIGNED_CERT_IN_CHAIN', '23505', undefined])(
  'an error %s of a statement of the sink that is not of the server is tried again',
  (code) => {
    const found = failureOf(errorOf(code), 'out');
    expect(found).toMatchObject({ code: 'PublishFailed' });
    expect(found.message).not.toContain('data');
  },
);

test('an error of `write` is of the connection if it says so, or if the connection broke; others are passed on', () => {
  for (const error of [
    errorOf(undefined, 'Connection terminated unexpectedly'),
    errorOf(undefined, 'Query read timeout'),
    errorOf('EPIPE', undefined, { syscall: 'write' }),
  ])
    expect(writeFailureOf(error, 'out', false)).toMatchObject({ code: 'PublishFailed' });
  const own = [new TypeError('the connection pool is x'), errorOf('E_MINE'), 'a string'];
  for (const error of own) {
    expect(writeFailureOf(error, 'out', false)).toBe(error);
    expect(writeFailureOf(error, 'out', true)).toMatchObject({ code: 'PublishFailed' });
  }
  const mine = new MillraceError('Mine', 'x');
  expect(writeFailureOf(mine, 'out', true)).toBe(mine);
});

test.each([
  [{}, 'pool'],
  [{ pool: {} }, 'pool'],
  [{ table: [] }, 'table'],
  [{ table: 'a\0b' }, 'table'],
  [{ table: 'ä'.repeat(32) }, 'table'],
  [{ marks: 'm'.repeat(64) }, 'marks'],
  [{ columns: ['c'.repeat(64)] }, 'columns'],
  [{ columns: [] }, 'columns'],
  [{ columns: undefined }, 'columns'],
  [{ columns: { id: 'bigint; DROP TABLE x' } }, 'columns'],
  [{ createTable: true }, 'columns'],
  [{ onConflict: ['other'] }, 'onConflict'],
  [{ marks: '' }, 'marks'],
  [{ write: () => [] }, 'write'],
  [{ write: 1, table: undefined }, 'write'],
  [{ publish: () => [] }, 'publish'],
  [{ maxBatch: { records: 0 } }, 'maxBatch.records'],
])('options %j are refused for %s', (options, name) => {
  const given = {
    ...(name === 'pool' ? {} : { pool: { connect: () => undefined } }),
    table: 't',
    columns: ['id'],
    ...options,
  };
  expect(() => postgresSink('out', given as never)).toThrow(name);
  expect(() => postgresSink('out', given as never)).toThrow(MillraceError);
});

test('a connection string in place of a pool is not printed', () => {
  const pool = 'postgres://app:hunter2@db/x';
  expect(() => postgresSink('out', { pool, table: 't', columns: ['id'] } as never)).toThrow(
    /^postgresSink 'out': pool must be a Pool of the package pg, not a connection string\.$/,
  );
});
