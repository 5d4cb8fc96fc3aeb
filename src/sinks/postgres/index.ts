/** `millrace/postgres`: rows for PostgreSQL, exactly once. Needs `pg`. */
export type { PostgresClient, PostgresPool, PostgresPoolClient, PostgresResult } from './client.js';
export type {
  PostgresOptions,
  PostgresSinkOptions,
  PostgresTableOptions,
  PostgresWriteOptions,
} from './options.js';
export { postgresSink } from './postgresSink.js';
