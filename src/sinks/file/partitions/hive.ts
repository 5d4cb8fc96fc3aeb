import { hash } from 'node:crypto';
import { checkFunction, required } from '../../../config/checkOptions.js';
import { InvalidOption } from '../../../config/units.js';
import { deferredInFlow, isDeferred } from '../../../flow/deferred.js';
import { defaultPartition, partitionerOf, unusable, type Partitioner } from './partitioner.js';

/** The value of a column. Without one, and with an empty string, it is `__HIVE_DEFAULT_PARTITION__`. */
export type HiveValue = string | number | bigint | boolean | null | undefined;

/** A column of {@link hive}: a function of the record, or `byTime`. */
export type HiveColumn<A> = ((record: A) => HiveValue) | Partitioner<A>;

/**
 * Partitions as Hive, Spark, DuckDB, Athena and Trino read them: `dt=2026-11-29/hour=07`, with the columns in the order given.
 *
 * Any value is safe. Characters that Hive escapes are `%2F` and the like, so no record leaves its folder. Halves of
 * surrogate pairs become U+FFFD. The limit of a value is 200 bytes, less with more than three columns; what is longer is cut, and
 * ends in `~` and 16 digits of its SHA-256.
 *
 * Errors: `InvalidOption`; `InvalidPartition` if a column is a value of another type.
 *
 * @example
 * ```ts
 * const timestamp = ({ at }: { at: string }) => Date.parse(at);
 * visits.pipe(
 *   fileSink('out', 's3://lake/visits', {
 *     format: ndjson(),
 *     partitionBy: hive({ kind: (v) => v.kind, dt: byTime({ pattern: 'yyyy-MM-dd', timestamp }) }),
 *   }),
 * );
 * ```
 */
export function hive<A>(columns: Readonly<Record<string, HiveColumn<NoInfer<A>>>>): Partitioner<A> {
  const entries: readonly [string, HiveColumn<A>][] = Object.entries(
    required('the columns of hive', columns),
  );
  checkColumns(entries);
  const constant = entries.reduce((sum, [name]) => sum + name.length + 2, 0);
  const most = Math.min(longestValue, Math.floor((longestPartition - constant) / entries.length));
  return {
    longest: constant + entries.length * most,
    open: (clock, seen) => {
      const opened = entries.map(([name, column]) => [name, openColumn(column, clock, seen)] as const);
      return (record) =>
        opened.map(([name, valueOf]) => `${name}=${folderOf(name, valueOf(record), most)}`).join('/');
    },
  };
}

const maxColumns = 10;
const longestValue = 200;
const longestPartition = 640;

function checkColumns(entries: readonly (readonly [string, unknown])[]): void {
  if (entries.length === 0 || entries.length > maxColumns)
    throw new InvalidOption('hive', entries.length, `1 to ${maxColumns} columns`);
  for (const [name, column] of entries) {
    // Integers would change their order.
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,30}$/.test(name))
      throw new InvalidOption(
        'the name of a column of hive',
        name,
        'at most 31 letters, digits and underscores, and not begin with a digit',
      );
    const opens = typeof (column as Partial<Partitioner<never>> | null)?.open === 'function';
    if (!opens) checkFunction(`hive: ${name}`, column);
  }
}

function openColumn<A>(
  column: HiveColumn<A>,
  ...attempt: Parameters<Partitioner<A>['open']>
): (record: A) => unknown {
  return typeof column === 'function' ? column : partitionerOf(column).open(...attempt);
}

function folderOf(name: string, value: unknown, most: number): string {
  if (value === null || value === undefined || value === '') return defaultPartition;
  switch (typeof value) {
    case 'string':
      return shortened(escaped(value), most);
    case 'number':
    case 'bigint':
    case 'boolean':
      return escaped(String(value));
    default:
      if (isDeferred(value)) throw deferredInFlow(`hive: ${name} returned`, value);
      throw unusable(`hive: ${name}`, value, 'Return a string, a number, a boolean or null');
  }
}

/** As `FileUtils.escapePathName` of Hive, and NUL. */
function escaped(value: string): string {
  return wellFormed(value).replace(
    /[\x00-\x1f"#%'*/:=?\\\x7f{[\]^]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Cut between characters. What it is cut from is recognized by its hash. */
function shortened(value: string, most: number): string {
  if (value.length * 3 <= most || Buffer.byteLength(value) <= most) return value;
  const mark = `~${hash('sha256', value, 'hex').slice(0, 16)}`;
  let kept = '';
  let bytes = mark.length;
  for (const [piece] of value.matchAll(/%[0-9A-F]{2}|./gsu)) {
    bytes += Buffer.byteLength(piece);
    if (bytes > most) break;
    kept += piece;
  }
  return kept + mark;
}
