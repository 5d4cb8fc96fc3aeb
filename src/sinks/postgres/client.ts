/**
 * What postgresSink needs of `pg`: a pool and its clients. Declared here, so that nothing of `pg` is loaded and its types are not
 * required.
 */

/** A `Pool` of `pg`. */
export interface PostgresPool {
  connect(): Promise<PostgresPoolClient>;
}

/** For statements in the transaction of a batch. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
}

export interface PostgresResult {
  /** What the server did, such as `'COMMIT'`. */
  readonly command: string;
  readonly rows: readonly unknown[];
  readonly rowCount: number | null;
}

export interface PostgresPoolClient extends PostgresClient {
  /** @param destroy closes the connection, which rolls back what is not committed */
  release(destroy?: boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
}

/** A name as a quoted identifier; several are a qualified name. */
export function quoted(...names: readonly string[]): string {
  return names.map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
}
