import { InvalidOption } from '../../config/units.js';

/** The characters of a kind of CSV, as bytes. -1: there is none. */
export interface Dialect {
  readonly delimiter: number;
  readonly quote: number;
  /** The same as `quote` if quotes in values are doubled. */
  readonly escape: number;
  readonly comment: number;
  /** Whether spaces and tabs around values are ignored. */
  readonly trim: boolean;
}

/** The options that make a dialect. */
export interface CsvDialectOptions {
  /** Separates values. One ASCII character. Default `,`. */
  readonly delimiter?: string;
  /** Encloses values. One ASCII character; `false`: quotes are ordinary characters. Default `"`. */
  readonly quote?: string | false;
  /**
   * Makes a quote inside of a quoted value part of it. One ASCII character. Default: the quote itself, so that it is doubled.
   */
  readonly escape?: string;
  /** Rows that start with it are ignored. One ASCII character. Default: none. */
  readonly comment?: string;
  /**
   * Whether spaces and tabs around values, also around quoted ones, are ignored. Default `false`: they are part of the
   * value.
   */
  readonly trim?: boolean;
}

/** Errors: `InvalidOption`. */
export function dialectOf({ delimiter, quote, escape, comment, trim }: CsvDialectOptions): Dialect {
  const dialect = {
    delimiter: byteOf('delimiter', delimiter ?? ',', '\r\n"'),
    quote: quote === false ? -1 : byteOf('quote', quote ?? '"', '\r\n \t'),
    escape: quote === false ? -1 : byteOf('escape', escape ?? quote ?? '"', '\r\n \t'),
    comment: comment === undefined ? -1 : byteOf('comment', comment, '\r\n" \t'),
    trim: trim === true,
  };
  if (trim !== undefined && typeof (trim as unknown) !== 'boolean')
    throw new InvalidOption('csv: trim', trim, 'true or false');
  if (quote === false && escape !== undefined)
    throw new InvalidOption('csv: escape', escape, 'unset if there is no quote');
  if (dialect.trim && (delimiter === ' ' || delimiter === '\t'))
    throw new InvalidOption('csv: trim', trim, `false if the delimiter is a space or a tab`);
  const chars = [dialect.delimiter, dialect.quote, dialect.comment].filter((byte) => byte >= 0);
  if (dialect.escape !== dialect.quote) chars.push(dialect.escape);
  if (new Set(chars).size < chars.length)
    throw new InvalidOption(
      'csv: delimiter, quote, escape, comment',
      String.fromCharCode(...chars),
      'different characters',
    );
  return dialect;
}

function byteOf(name: string, value: unknown, but: string): number {
  if (typeof value === 'string' && value.length === 1 && value.charCodeAt(0) < 0x80 && !but.includes(value))
    return value.charCodeAt(0);
  throw new InvalidOption(
    `csv: ${name}`,
    value,
    `one ASCII character other than ${Array.from(but, (char) => JSON.stringify(char)).join(', ')}`,
  );
}
