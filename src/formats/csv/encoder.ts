import { MillraceError } from '../../errors.js';
import { JsonNumber } from '../jsonNumbers.js';
import { typeName } from '../typeName.js';
import type { FileEncoder, FileOutput } from '../writer.js';
import type { Dialect } from './dialect.js';

export interface CsvWriting {
  readonly dialect: Dialect;
  /** Whether files start with the names of the columns. */
  readonly header: boolean;
  /** `undefined`: the properties of the first record of a file. `false`: records are arrays. */
  readonly columns: readonly string[] | false | undefined;
  readonly lineEnd: string;
  readonly bom: boolean;
}

/** Writes one file. Its rows are complete at any time. */
export class CsvEncoder implements FileEncoder<object> {
  readonly held = 0;
  readonly #out: FileOutput;
  readonly #writing: CsvWriting;
  readonly #text: (value: string, first: boolean) => string;
  #columns: readonly string[] | false | undefined;
  #known: ReadonlySet<string> | undefined;
  #started = false;

  constructor(writing: CsvWriting, out: FileOutput) {
    this.#out = out;
    this.#writing = writing;
    this.#text = quoter(writing.dialect);
    this.#columns = writing.columns;
  }

  write(record: object): void {
    const isArray = Array.isArray(record);
    if (typeof record !== 'object' || (record as unknown) === null || isArray !== (this.#columns === false))
      throw notCsv(
        `is ${isArray ? 'an array' : `a value of type ${typeName(record)}`}, but csv() writes ${
          this.#columns === false ? 'arrays if header is false' : 'objects'
        }`,
      );
    const columns = this.#columns ?? Object.keys(record);
    const row = columns === false ? this.#row(record as unknown[]) : this.#objectRow(record, columns);
    const before = this.#started ? '' : this.#beginning(columns);
    this.#started = true;
    this.#columns = columns;
    this.#out.write(before + row);
  }

  finish(): void {
    // The file is complete after its last row.
  }

  #beginning(columns: readonly string[] | false): string {
    const { bom, header } = this.#writing;
    return (bom ? '\uFEFF' : '') + (header && columns !== false ? this.#row(columns) : '');
  }

  #objectRow(record: object, columns: readonly string[]): string {
    const values = record as Readonly<Record<string, unknown>>;
    const known = (this.#columns === undefined ? undefined : this.#known) ?? new Set(columns);
    if (this.#columns !== undefined) this.#known = known;
    for (const name in values)
      if (!known.has(name) && values[name] !== undefined)
        throw notCsv(
          `has the property '${name}', which is none of the columns ${columns.join(', ')}: set columns, or map it away`,
        );
    return this.#row(columns.map((name) => (Object.hasOwn(values, name) ? values[name] : undefined)));
  }

  #row(values: readonly unknown[]): string {
    if (values.length === 0) throw notCsv('has no values, and would be a blank line');
    let row = '';
    for (let i = 0; i < values.length; i++) {
      if (i > 0) row += String.fromCharCode(this.#writing.dialect.delimiter);
      row += this.#text(textOf(values[i]), i === 0);
    }
    // An empty line is no record.
    if (row === '') row = this.#quotedEmpty();
    return row + this.#writing.lineEnd;
  }

  #quotedEmpty(): string {
    const { quote } = this.#writing.dialect;
    if (quote < 0) throw notCsv('has a single empty value, which would be a blank line');
    return String.fromCharCode(quote, quote);
  }
}

function textOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'undefined':
      return '';
    case 'object':
      if (value === null) return '';
      if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
      if (value instanceof JsonNumber) return value.text;
      break;
    case 'function':
    case 'symbol':
  }
  throw notCsv(
    `has a value of type ${value instanceof Date ? 'Date that is invalid' : typeName(value)}, which CSV has no form for: map it to a string`,
  );
}

/** Returns a value with quotes around it if it needs them. */
function quoter({
  delimiter,
  quote,
  escape,
  comment,
  trim,
}: Dialect): (value: string, first: boolean) => string {
  const quoteChar = quote < 0 ? '' : String.fromCharCode(quote);
  const escapeChar = escape < 0 ? '' : String.fromCharCode(escape);
  const special = [String.fromCharCode(delimiter), quoteChar, '\r', '\n'].map(escaped).join('');
  const needs = new RegExp(`[${special}]${trim ? '|^[ \\t]|[ \\t]$' : ''}`);
  const needsFirst = new RegExp(
    `${needs.source}|^\uFEFF|^sep=${comment < 0 ? '' : `|^${escaped(String.fromCharCode(comment))}`}`,
    'i',
  );
  return (value, first) => {
    if (!(first ? needsFirst : needs).test(value)) return value;
    if (quote < 0)
      throw notCsv(
        `has the value ${JSON.stringify(value.slice(0, 80))}, which needs quotes, and quote is false`,
      );
    if (trim && /^[ \t]|[ \t]$/.test(value))
      throw notCsv('has a value with spaces around it, which trim removes when it is read');
    if (escape !== quote && value.endsWith(escapeChar))
      throw notCsv(`has a value that ends with the escape character ${escapeChar} and needs quotes`);
    return quoteChar + value.replaceAll(quoteChar, escapeChar + quoteChar) + quoteChar;
  };
}

const escaped = (char: string): string => char.replace(/[\\\]^$.|?*+()[{}/-]/g, '\\$&');

function notCsv(what: string): MillraceError {
  return new MillraceError('NotCsv', `A record ${what}.`);
}
