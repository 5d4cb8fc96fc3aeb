import { quoted } from './client.js';

/** Where rows go, and how. */
export interface TableSettings {
  readonly table: readonly string[];
  readonly columns: readonly string[];
  /** The SQL types of the columns, to create the table. */
  readonly types: readonly string[] | undefined;
  /** The columns that identify a row; empty to append. */
  readonly onConflict: readonly string[];
}

/**
 * The statement that stores a batch, whose one parameter is the rows as a JSON array. The server converts the values to the types
 * of the columns. Of several rows in the batch with the same key, the last one counts. A row with NULL in its key has no equal, as in
 * a unique index.
 */
export function insertion({ table, columns, onConflict }: TableSettings): string {
  const into = quoted(...table);
  const names = columns.map((name) => quoted(name));
  const list = names.join(', ');
  const from = `json_populate_recordset(NULL::${into}, $1::json)`;
  const insert = `INSERT INTO ${into} (${list})`;
  if (onConflict.length === 0) return `${insert} SELECT ${list} FROM ${from}`;
  const keys = onConflict.map((name) => quoted(name)).join(', ');
  const updates = columns
    .filter((name) => !onConflict.includes(name))
    .map((name) => `${quoted(name)} = excluded.${quoted(name)}`);
  const action = updates.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${updates.join(', ')}`;
  const records = `json_array_elements($1::json) WITH ORDINALITY AS batch(row, at), json_populate_record(NULL::${into}, batch.row) AS r`;
  const ofRow = (name: string): string => `r.${quoted(name)}`;
  const isAlone = onConflict.map((name) => `${ofRow(name)} IS NULL`).join(' OR ');
  const distinct = [...onConflict.map(ofRow), `CASE WHEN ${isAlone} THEN batch.at END`].join(', ');
  const last = `SELECT DISTINCT ON (${distinct}) ${columns.map(ofRow).join(', ')} FROM ${records} ORDER BY ${distinct}, batch.at DESC`;
  return `${insert} ${last} ON CONFLICT (${keys}) ${action}`;
}

/** The statement that creates the table. */
export function definition({ table, columns, types = [], onConflict }: TableSettings): string {
  const list = columns.map((name, i) => `${quoted(name)} ${types[i] ?? ''}`);
  const keys = onConflict.map((name) => quoted(name)).join(', ');
  const all = keys === '' ? list : [...list, `PRIMARY KEY (${keys})`];
  return `CREATE TABLE IF NOT EXISTS ${quoted(...table)} (${all.join(', ')})`;
}
