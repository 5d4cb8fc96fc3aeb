import { isAscii, isUtf8 } from 'node:buffer';
import Papa from 'papaparse';
import type { Json } from '../../flow/index.js';
import { isCount, isRecord, isString } from '../../shape.js';
import type { Malformed, ObjectDecoder } from '../reader.js';
import { Refused } from '../validator.js';
import { CsvCutter, type LineEnd } from './cutter.js';
import type { Dialect } from './dialect.js';
import { Rows, type Row } from './rows.js';
import { unpadded } from './unpadded.js';

export interface CsvReading<T> {
  readonly dialect: Dialect;
  /** `true`: the first row has the names; a list: they are given; `false`: rows are arrays. */
  readonly header: boolean | readonly string[];
  readonly validate: (value: unknown) => T;
}

/** What a decoder must know to continue in the middle of an object. */
export type CsvState = {
  /** It may differ from the option, because of a `sep=` line. */
  readonly delimiter: number;
  readonly lineEnd: LineEnd | null;
  /** `null`: the header has not been read. Empty: it is malformed. */
  readonly names: readonly string[] | null;
  /** The row before ended with a lone CR, or with that of a CRLF: an LF is no further line. */
  readonly afterCr?: true;
};

const isDelimiter = (byte: unknown): byte is number =>
  isCount(byte) && byte < 0x80 && !'\r\n"'.includes(String.fromCharCode(byte));

/** Whether it is a state for decoders of this dialect. */
export function isCsvState(state: unknown, { quote, escape, comment }: Dialect): state is CsvState {
  if (!isRecord(state)) return false;
  const { delimiter, lineEnd, names, afterCr } = state;
  return (
    isDelimiter(delimiter) &&
    ![quote, escape, comment].includes(delimiter) &&
    (lineEnd === null || lineEnd === 'lf' || lineEnd === 'cr') &&
    (names === null || (Array.isArray(names) && names.every(isString))) &&
    (afterCr === undefined || afterCr === true)
  );
}

/**
 * Decodes a block with one call of the parser. Its rows are those that the cutter finds, unless a row is not CSV. Such a block is
 * decoded row by row, and so are the rows before the header has been read.
 */
export class CsvDecoder<T> implements ObjectDecoder<T> {
  readonly #reading: CsvReading<T>;
  readonly #cutter: CsvCutter;
  #dialect: Dialect;
  #parse: (text: string) => Papa.ParseResult<string[]>;
  #names: readonly string[] | undefined;
  #record: (values: string[]) => unknown = asArray;
  /** A CR ended the row before. */
  #afterCr: boolean;
  /** No row of the object has been read. */
  #atStart: boolean;

  constructor(reading: CsvReading<T>, offset: number, state: CsvState | undefined) {
    const { dialect, header } = reading;
    this.#reading = reading;
    this.#atStart = offset === 0;
    this.#dialect = state === undefined ? dialect : { ...dialect, delimiter: state.delimiter };
    this.#cutter = new CsvCutter(this.#dialect, state?.lineEnd ?? undefined);
    this.#afterCr = state?.afterCr ?? false;
    this.#parse = parserOf(this.#dialect, this.#cutter.lineEnd);
    const names = state?.names ?? (header === true ? undefined : header === false ? [] : header);
    if (names !== undefined) this.#setNames(names);
    this.#settle();
  }

  first(bytes: Buffer, from: number, to: number): number {
    return this.#cutter.first(bytes, from, to);
  }

  last(bytes: Buffer, from: number, to: number): number {
    return this.#cutter.last(bytes, from, to);
  }

  decode(
    block: Buffer,
    start: number,
    line: number,
    on: (record: T) => void,
    malformed: (bad: Malformed) => void,
  ): number {
    this.#cutter.takeLines();
    if (this.#cutter.single) this.#parse = parserOf(this.#dialect, this.#cutter.lineEnd);
    const lines =
      (this.#cutter.single ? undefined : this.#decodeAll(block, start, line, on, malformed)) ??
      this.#rowByRow(block, start, line, on, malformed);
    this.#afterCr = this.#cutter.lineEnd === 'cr' && block.at(-1) === 0x0d;
    return lines;
  }

  dropped(): number {
    this.#afterCr = this.#cutter.afterCr;
    this.#atStart = false;
    if (this.#names === undefined) this.#setNames([]);
    this.#settle();
    return Math.max(1, this.#cutter.takeLines());
  }

  state(): Json {
    const { lineEnd = null } = this.#cutter;
    const { delimiter } = this.#dialect;
    return {
      delimiter,
      lineEnd,
      names: this.#names ?? null,
      ...(this.#afterCr && { afterCr: true }),
    } satisfies CsvState;
  }

  /** `undefined`: nothing was done, because the parser alone is not exact for this block. */
  #decodeAll(
    block: Buffer,
    start: number,
    line: number,
    on: (record: T) => void,
    malformed: (bad: Malformed) => void,
  ): number | undefined {
    const { quote, comment, trim } = this.#dialect;
    const ascii = isAscii(block);
    if (!ascii && !isUtf8(block)) return undefined;
    const ending = this.#cutter.lineEnd === 'cr' ? '\r' : '\n';
    // The parser knows one line end.
    const lfEnds = this.#cutter.lfEnds ?? block.includes(0x0a);
    this.#cutter.lfEnds = false;
    if (ending === '\r' && lfEnds) return undefined;
    const whole = block.toString(ascii ? 'latin1' : 'utf8');
    const text = whole.endsWith(ending) ? whole : whole + ending;
    const quoteChar = quote < 0 ? undefined : String.fromCharCode(quote);
    const quoted = quoteChar !== undefined && text.includes(quoteChar);
    const crs = ending === '\n' && text.includes('\r');
    if (!ascii && text.includes('\uFEFF')) return undefined;
    if (quoted && crs && text.includes(`\r${quoteChar}`)) return undefined;
    if (quoted && trim && (text.includes(` ${quoteChar}`) || text.includes(`\t${quoteChar}`)))
      return undefined;

    const { data, errors } = this.#parse(text);
    if (errors.length > 0) return undefined;
    // After the last line end.
    data.pop();
    const width = this.#reading.header === false ? -1 : (this.#names?.length ?? 0);
    // A quoted empty value is a row, and an empty line is none. The parser returns the same for both.
    if (quoted && data.some((values) => isBlank(values, trim))) return undefined;

    let rows: Rows | undefined;
    const refuse = (index: number, reason: string): void => {
      const row = (rows ??= new Rows(block, this.#dialect, this.#cutter.lineEnd, this.#afterCr)).at(index);
      malformed(badRow(block, row, start, line, reason));
    };
    for (let i = 0; i < data.length; i++) {
      const values = data[i] ?? [];
      if (crs) dropCr(values);
      if (values.length !== width || width < 2) {
        if (isBlank(values, trim)) continue;
        if (width >= 0 && values.length !== width) {
          refuse(i, ragged(values.length, width));
          continue;
        }
      }
      if (trim) trimAll(values);
      const record = this.#recordOf(values);
      if (record instanceof Refused) refuse(i, record.message);
      else on(record);
    }
    if (!quoted && comment < 0) return data.length;
    return ending === '\r' ? countOf(text.replaceAll(/\r?\n/g, '\r'), ending) : countOf(text, ending);
  }

  #rowByRow(
    block: Buffer,
    start: number,
    line: number,
    on: (record: T) => void,
    malformed: (bad: Malformed) => void,
  ): number {
    const rows = new Rows(block, this.#dialect, this.#cutter.lineEnd, this.#afterCr);
    for (let row = rows.next(); row !== undefined; row = rows.next()) {
      const result = this.#row(block, row);
      if (typeof result === 'string') malformed(badRow(block, row, start, line, result));
      else if (result !== undefined) on(result.record);
    }
    return rows.lines;
  }

  /** The record of a row; a string if it is malformed; `undefined` if it has none. */
  #row(block: Buffer, { from, to, comment }: Row): { readonly record: T } | string | undefined {
    const atStart = this.#atStart;
    this.#atStart = false;
    const result = this.#parseRow(block, from, to, comment, atStart);
    if (typeof result === 'string' && this.#names === undefined) this.#setNames([]);
    this.#settle();
    return result;
  }

  #parseRow(
    block: Buffer,
    from: number,
    to: number,
    comment: boolean,
    atStart: boolean,
  ): { readonly record: T } | string | undefined {
    if (comment) return undefined;
    if (!isUtf8(block.subarray(from, to))) return 'not valid UTF-8';
    const { trim } = this.#dialect;
    let text = block.toString('utf8', from, to);
    while (text.startsWith('\uFEFF')) text = text.slice(1);
    if (atStart && this.#isSeparator(text)) {
      this.#dialect = { ...this.#dialect, delimiter: text.charCodeAt(4) };
      this.#cutter.dialect = this.#dialect;
      this.#parse = parserOf(this.#dialect, this.#cutter.lineEnd);
      return undefined;
    }
    if ((trim ? trimmed(text) : text) === '') return undefined;
    const row = trim ? unpadded(text, this.#dialect) : text;
    const { data, errors } = this.#parse(row + (this.#cutter.lineEnd === 'cr' ? '\r' : '\n'));
    if (errors[0] !== undefined) return `not CSV: ${errors[0].message}`;
    const values = data[0] ?? [''];
    if (trim) trimAll(values);
    if (this.#names === undefined) return this.#header(values);
    const width = this.#names.length;
    if (this.#reading.header !== false && values.length !== width) return ragged(values.length, width);
    const record = this.#recordOf(values);
    return record instanceof Refused ? record.message : { record };
  }

  /** A first line of spreadsheets, which sets the delimiter. */
  #isSeparator(text: string): boolean {
    const { quote, escape, comment } = this.#dialect;
    const delimiter = text.charCodeAt(4);
    return /^sep=.$/i.test(text) && isDelimiter(delimiter) && ![quote, escape, comment].includes(delimiter);
  }

  #header(values: readonly string[]): string | undefined {
    const names = values.map((name, i) => (name === '' ? `column${i + 1}` : name));
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) return `the header has column '${twice}' twice`;
    this.#setNames(names);
    return undefined;
  }

  #setNames(names: readonly string[]): void {
    this.#names = names;
    if (this.#reading.header !== false) this.#record = objectOf(names);
  }

  #settle(): void {
    this.#cutter.single = this.#atStart || this.#names === undefined;
    if (!this.#cutter.single) this.#parse = parserOf(this.#dialect, this.#cutter.lineEnd);
  }

  #recordOf(values: string[]): T | Refused {
    try {
      return this.#reading.validate(this.#record(values));
    } catch (error) {
      if (error instanceof Refused) return error;
      throw error;
    }
  }
}

function parserOf(
  { delimiter, quote, escape, comment }: Dialect,
  lineEnd: LineEnd | undefined,
): (text: string) => Papa.ParseResult<string[]> {
  const config: Papa.ParseConfig<string[]> = {
    delimiter: String.fromCharCode(delimiter),
    newline: lineEnd === 'cr' ? '\r' : '\n',
    quoteChar: quote < 0 ? '' : String.fromCharCode(quote),
    escapeChar: escape < 0 ? '' : String.fromCharCode(escape),
    comments: comment < 0 ? false : String.fromCharCode(comment),
    // Its other mode creates rows first, and is slower.
    fastMode: false,
  };
  return (text) => Papa.parse<string[]>(text, config);
}

const asArray = (values: string[]): unknown => values;

function objectOf(names: readonly string[]): (values: string[]) => unknown {
  // An assignment to `__proto__` would set the prototype.
  if (names.includes('__proto__'))
    return (values) => Object.fromEntries(names.map((name, i) => [name, values[i]]));
  return (values) => {
    const record: Record<string, string | undefined> = {};
    for (let i = 0; i < names.length; i++) record[names[i] ?? ''] = values[i];
    return record;
  };
}

function badRow(
  block: Buffer,
  { from, to, line: inBlock }: Row,
  start: number,
  line: number,
  reason: string,
): Malformed {
  const text = block.toString('utf8', from, to);
  return { offset: start + from, length: to - from, line: line + inBlock, text, reason };
}

/** Drops a carriage return that belongs to the line end. */
function dropCr(values: string[]): void {
  const last = values.length - 1;
  const value = values[last];
  if (value?.endsWith('\r') === true) values[last] = value.slice(0, -1);
}

function ragged(values: number, width: number): string {
  if (width === 0) return 'the header is malformed';
  return `${values} ${values === 1 ? 'value' : 'values'} instead of ${width}`;
}

const trimmed = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, '');

function trimAll(values: string[]): void {
  for (const [i, value] of values.entries()) values[i] = trimmed(value);
}

const isBlank = ({ length, 0: value = '' }: readonly string[], trim: boolean): boolean =>
  length === 1 && (trim ? trimmed(value) : value) === '';

function countOf(text: string, char: string): number {
  let count = 0;
  for (let at = text.indexOf(char); at >= 0; at = text.indexOf(char, at + 1)) count++;
  return count;
}
