import { hasPostgres, startPostgres } from '../../test/processes/postgres.js';
import { comparison, type Variant } from '../harness/comparison.js';
import type { Row } from '../harness/row.js';

const module = new URL('../variants/postgres.js', import.meta.url).href;

const compared = comparison({
  name: 'postgres',
  title: 'postgresSink, a checkpoint each second | the same rows by INSERTs of pg, as many in a transaction',
  unit: 'records',
  processes: 'lasting',
  rounds: 3,
  warmups: 1,
  async prepare({ quick }) {
    const server = await startPostgres();
    const params = { url: server.url, rows: quick ? 5_000 : 300_000 };
    const variant = (name: string, start: string): Variant => ({ name, program: { module, start }, params });
    return { variants: [variant('ours', 'rowsByJob'), variant('pg', 'rowsByPg')], close: server.close };
  },
  goals: [{ metric: 'vs.pg', goal: 0.8, is: 'at least' }],
});

/** Needs PostgreSQL, as Debian's package `postgresql` installs it. */
export const postgres: Row = {
  ...compared,
  run(options) {
    if (hasPostgres) return compared.run(options);
    console.error('postgres: not run, because there is no PostgreSQL here: install postgresql.');
    return Promise.resolve({ name: 'postgres', metrics: {}, goals: [] });
  },
};
