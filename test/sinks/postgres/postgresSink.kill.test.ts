/** A real process that is killed while it writes to a real PostgreSQL; skipped by name where that is not installed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasPostgres, startPostgres } from '../../processes/postgres.js';
import type { PostgresTask } from '../../processes/postgresJob.js';
import { effort } from '../../support/effort.js';

const program = join(import.meta.dirname, '../../../build/test/processes/postgresJob.js');
const total = effort(4500, 60_000);
const kills = effort(2, 20);

(hasPostgres ? test : test.skip)(
  'a process that is killed while it writes to PostgreSQL: each row is there once, in order',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-postgres-job-'));
    const server = await startPostgres();
    try {
      const pool = server.pool();
      await pool.query('CREATE TABLE numbers (n bigint, at bigserial)');
      await mkdir(join(dir, 'in'));
      const lines = Array.from({ length: total }, (_, n) => JSON.stringify({ n }));
      await writeFile(join(dir, 'in/1.ndjson'), `${lines.join('\n')}\n`);
      const count = async (): Promise<number> => {
        const { rows } = await pool.query<{ count: string }>('SELECT count(*) FROM numbers');
        return Number(rows[0]?.count);
      };
      const task: PostgresTask = { url: server.url, dir };
      const start = () => {
        const child = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: 'inherit' });
        return { child, exit: once(child, 'exit') as Promise<[number | null]> };
      };
      for (let kill = 1; kill <= kills; kill++) {
        const { child, exit } = start();
        // Between any two statements, or in one.
        while ((await count()) < (total * kill) / (kills + 1) && child.exitCode === null);
        expect(child.exitCode).toBeNull();
        child.kill('SIGKILL');
        await exit;
      }
      expect(await count()).toBeLessThan(total);
      const [code] = await start().exit;
      expect(code).toBe(0);
      const { rows } = await pool.query<{ n: string }>('SELECT n FROM numbers ORDER BY at');
      expect(rows.map(({ n }) => Number(n))).toEqual(Array.from({ length: total }, (_, n) => n));
    } finally {
      await server.close();
      await rm(dir, { recursive: true, force: true });
    }
  },
);
