import { MillraceError } from '../../errors.js';
import { jsonEncoder } from '../../formats/jsonEncoder.js';
import { PoisonBatch } from '../outbox/errors.js';
import { flatRowEncoder } from './flatRow.js';

/**
 * Rows as a JSON array of their columns, for PostgreSQL to convert to the types of the columns. What a row lacks is NULL. Numbers
 * have all their digits. At any depth, NaN and infinities are their names, binary data is hexadecimal, and other typed arrays are lists.
 *
 * Errors: `PoisonBatch`, for a value without such a form, with its path.
 */
export function rowsJson(rows: readonly unknown[], columns: readonly string[]): string {
  const flat = flatRowEncoder(columns);
  const encode = jsonEncoder();
  return `[${rows.map((row, index) => flat(row) ?? rowJson(row, index, columns, encode)).join()}]`;
}

function rowJson(
  row: unknown,
  index: number,
  columns: readonly string[],
  encode: (record: unknown) => string,
): string {
  const given = row as Readonly<Record<string, unknown>>;
  try {
    return encode(Object.fromEntries(columns.map((name) => [name, valueOf(given[name], name)])));
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    throw new PoisonBatch(`Row ${index} of the batch: ${error.message}`, { cause: error });
  }
}

function valueOf(value: unknown, path: string): unknown {
  // Not null, as JSON has it.
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (value instanceof Date && Number.isNaN(value.getTime()))
    throw new PoisonBatch(`${path} is an invalid date. Map the record before the sink.`);
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView)))
    return Array.from(value as ArrayLike<unknown>, (each, i) => valueOf(each, `${path}.${i}`));
  if (!isPlain(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, valueOf(each, `${path}.${name}`)]),
  );
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
