import type { ObservableInput } from 'rxjs';
import { checkFunction, checkOptions, required, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption } from '../../config/units.js';
import { outboxNames, type OutboxOptions } from '../outbox/options.js';
import type { PostgresClient, PostgresPool } from './client.js';
import type { TableSettings } from './table.js';

/** Options that `postgresSink` has with a table and with statements of yours. */
export interface PostgresOptions<A> extends OutboxOptions<A> {
  /** A `Pool` of `pg`, which you end after the job. Give it a listener of `error`, as its documentation says. */
  readonly pool: PostgresPool;
  /**
   * The table of marks, in the same database: `schema.table` as a list, or a name. It has a row for each sink of each job. Default:
   * `millrace_commits`.
   */
  readonly marks?: string | readonly string[];
  /** Creates the table of marks if it does not exist. Default `false`. */
  readonly createMarks?: boolean;
}

/** Options of `postgresSink` with a table. Names are quoted, so they are as the database has them. */
export interface PostgresTableOptions<A> extends PostgresOptions<A> {
  /** The table of the rows: a name, or `['schema', 'table']`. */
  readonly table: string | readonly string[];
  /** The columns, which are properties of the records. With SQL types (`{ id: 'bigint' }`), the table can be created. */
  readonly columns:
    readonly (keyof NoInfer<A> & string)[] | Readonly<Partial<Record<keyof NoInfer<A> & string, string>>>;
  /**
   * Columns with a unique index. A row replaces the one with the same values of these; one with NULL in them is appended. Default: rows
   * are appended.
   */
  readonly onConflict?: readonly (keyof NoInfer<A> & string)[];
  /** Creates the table if it does not exist, with `onConflict` as its primary key. Default `false`. */
  readonly createTable?: boolean;
  readonly write?: never;
}

/** Options of `postgresSink` with statements of yours. */
export interface PostgresWriteOptions<A> extends PostgresOptions<A> {
  /**
   * Runs statements for a batch, in the transaction that stores its mark. Do not end the transaction. Use a SAVEPOINT for a statement whose
   * error you catch: otherwise the server rolls all of it back, and the job ends with `PostgresRefused`.
   */
  readonly write: (client: PostgresClient, rows: readonly A[]) => ObservableInput<unknown>;
  readonly table?: never;
  readonly columns?: never;
  readonly onConflict?: never;
  readonly createTable?: never;
}

export type PostgresSinkOptions<A> = PostgresTableOptions<A> | PostgresWriteOptions<A>;

/** The options, checked. */
export interface PostgresSettings<A> {
  readonly pool: PostgresPool;
  readonly marks: readonly string[];
  readonly createMarks: boolean;
  readonly to: TableSettings | PostgresWriteOptions<A>['write'];
  readonly createTable: boolean;
}

export const postgresNames: OptionNames<PostgresTableOptions<never>> = {
  ...outboxNames,
  pool: true,
  marks: true,
  createMarks: true,
  table: true,
  columns: true,
  onConflict: true,
  createTable: true,
  write: true,
};

/** Throws `InvalidOption`. Options of all outboxes are checked elsewhere. */
export function postgresSettingsOf<A>(id: string, options: PostgresSinkOptions<A>): PostgresSettings<A> {
  const sink = `postgresSink '${id}'`;
  const given: object = required(`the options of ${sink}`, options);
  checkOptions(sink, given as PostgresTableOptions<never>, postgresNames);
  const { pool, marks = 'millrace_commits', createMarks = false, createTable = false, write } = options;
  const rule = 'a Pool of the package pg, not a connection string';
  const { pool: found } = given as { readonly pool?: Readonly<Record<string, unknown>> | null };
  // Without the value, which may be a URL with a password.
  if (typeof found?.['connect'] !== 'function')
    throw new InvalidOption(`${sink}: pool`, undefined, rule, `${sink}: pool must be ${rule}.`);
  if (write !== undefined) {
    checkFunction(`${sink}: write`, write);
    if ((given as { readonly table?: unknown }).table !== undefined)
      throw new InvalidOption(`${sink}: write`, write, 'absent if there is a table');
  }
  return {
    pool,
    marks: nameOf(`${sink}: marks`, marks),
    createMarks,
    to: write ?? tableOf(sink, given as Readonly<Record<string, unknown>>, createTable),
    createTable,
  };
}

/** The columns of callers may be anything: they may be JavaScript. */
function tableOf(
  sink: string,
  { table, columns, onConflict = [] }: Readonly<Record<string, unknown>>,
  create: boolean,
): TableSettings {
  const typed = columns !== undefined && !Array.isArray(columns) ? (columns as object) : undefined;
  const names: readonly unknown[] = typed === undefined ? asList(columns) : Object.keys(typed);
  const types: readonly unknown[] | undefined = typed && Object.values(typed);
  const rule = `a list of names of at most ${mostNameBytes} bytes, or an object with their SQL types, as in { id: 'bigint' }`;
  if (names.length === 0 || !names.every(isName)) throw new InvalidOption(`${sink}: columns`, columns, rule);
  if (types?.every(isType) === false || (create && types === undefined))
    throw new InvalidOption(`${sink}: columns`, columns, "an object with SQL types, as in { id: 'bigint' }");
  const keys = asList(onConflict);
  if (!Array.isArray(onConflict) || !keys.every((name) => names.includes(name)))
    throw new InvalidOption(`${sink}: onConflict`, onConflict, 'a list of some of the columns');
  return {
    table: nameOf(`${sink}: table`, table),
    columns: names as readonly string[],
    types: types as readonly string[] | undefined,
    onConflict: keys as readonly string[],
  };
}

function nameOf(key: string, name: unknown): readonly string[] {
  const names = typeof name === 'string' ? [name] : asList(name);
  if (names.length === 0 || !names.every(isName))
    throw new InvalidOption(
      key,
      name,
      `a name of at most ${mostNameBytes} bytes, or a list such as ['schema', 'table']`,
    );
  return names as readonly string[];
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
/** PostgreSQL cuts longer names. */
const mostNameBytes = 63;
const isName = (name: unknown): boolean =>
  typeof name === 'string' && name !== '' && !name.includes('\0') && Buffer.byteLength(name) <= mostNameBytes;
const isType = (type: unknown): boolean => typeof type === 'string' && /^[\w\s(),."[\]]+$/.test(type);
