import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkOptions, oneOf, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption } from '../../config/units.js';
import type { FileFormat } from '../format.js';
import { validator } from '../validator.js';
import { CsvDecoder, isCsvState, type CsvState } from './decoder.js';
import { dialectOf, type CsvDialectOptions } from './dialect.js';
import { CsvEncoder } from './encoder.js';

/** A row as an object. */
export type CsvRow = Readonly<Record<string, string>>;

/** Options of {@link csv}. */
export interface CsvOptions<T> extends CsvDialectOptions {
  /**
   * Validates every record that is read, and may transform it, for example strings into numbers: any Standard Schema (zod,
   * valibot, arktype, …) that validates synchronously. Records that it rejects are malformed.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /**
   * `true` (default): the first row of every object or file has the names of the columns, and records are objects. A list:
   * there is no such row, and these are the names. `false`: there are no names, and records are arrays.
   */
  readonly header?: boolean | readonly string[];
  /** The columns to write. Default: the properties of the first record of each file. */
  readonly columns?: readonly string[];
  /** Ends the rows that are written. Default `\n`. Any line end is read. */
  readonly lineEnd?: '\n' | '\r\n';
  /** Whether written files start with a byte order mark, which Excel needs to recognize UTF-8. Default `false`. */
  readonly bom?: boolean;
}

const names: OptionNames<CsvOptions<never>> = {
  schema: true,
  header: true,
  columns: true,
  lineEnd: true,
  bom: true,
  delimiter: true,
  quote: true,
  escape: true,
  comment: true,
  trim: true,
};

/**
 * Rows of values, as in RFC 4180, in UTF-8. All values are strings; a schema turns them into other types.
 *
 * The reader accepts line ends of any kind (LF, CRLF, and lone CR if the first row ends with one), line ends in quotes, a byte
 * order mark at the start of a row, a first line `sep=;`, which sets the delimiter, and a last row without a line end. It
 * ignores blank lines. A row is malformed if its quotes are not CSV, if it is not UTF-8, if it has not as many values as there
 * are columns, or if the schema rejects it. If a header is malformed (a name occurs twice), so are all rows of its object. A
 * column without a name is `column3` if it is the third.
 *
 * The writer quotes values that need it. `null` and `undefined` are empty, a `Date` is written in ISO 8601, a `bigint` with
 * all digits. Records with another column than the first one of the file are refused, as are values without a form in CSV.
 *
 * Errors: `AsyncSchema` (the schema validates asynchronously), `NotCsv` (a written record has no form in CSV),
 * `InvalidOption`.
 *
 * @example
 * ```ts
 * const orders = files('s3://lake/orders/*.csv.gz', { format: csv({ delimiter: ';', header: ['id', 'item', 'price'] }) });
 * ```
 */
export function csv<T>(
  options: CsvOptions<T> & { readonly schema: StandardSchemaV1<unknown, T> },
): FileFormat<T, object>;
export function csv<const N extends string>(
  options: CsvOptions<Readonly<Record<N, string>>> & { readonly header: readonly N[] },
): FileFormat<Readonly<Record<N, string>>, object>;
export function csv(
  options: CsvOptions<readonly string[]> & { readonly header: false },
): FileFormat<readonly string[], object>;
export function csv<T extends { readonly [K in keyof T]: string } = CsvRow>(
  options?: CsvOptions<T>,
): FileFormat<T, object>;
export function csv(options: CsvOptions<unknown> = {}): FileFormat<unknown, object> {
  checkOptions('csv', options, names);
  const { schema, header = true, columns, lineEnd = '\n', bom = false } = options;
  if (typeof (header as unknown) !== 'boolean')
    checkNames('header', header, 'true, false or a list of names');
  if (columns !== undefined) checkNames('columns', columns, 'a list of names');
  if (columns !== undefined && header === false)
    throw new InvalidOption('csv: columns', columns, 'unset if header is false');
  oneOf('csv: lineEnd', lineEnd, ['\n', '\r\n']);
  if (typeof (bom as unknown) !== 'boolean') throw new InvalidOption('csv: bom', bom, 'true or false');
  const dialect = dialectOf(options);
  const reading = { dialect, header, validate: validator('csv', schema) };
  const writing = {
    dialect,
    header: header === true,
    columns: header === false ? (false as const) : (columns ?? (header === true ? undefined : header)),
    lineEnd,
    bom,
  };
  return {
    name: 'csv',
    text: true,
    extension: options.delimiter === '\t' ? '.tsv' : '.csv',
    restore: 'anywhere',
    decoder: ({ offset, state }) => new CsvDecoder(reading, offset, state as CsvState | undefined),
    isState: (state) => isCsvState(state, dialect),
    open: (out) => new CsvEncoder(writing, out),
  };
}

function checkNames(option: string, given: unknown, rule: string): void {
  const valid =
    Array.isArray(given) &&
    given.length > 0 &&
    given.every((name) => typeof name === 'string') &&
    new Set(given).size === given.length;
  if (!valid) throw new InvalidOption(`csv: ${option}`, given, `${rule}, all different`);
}
