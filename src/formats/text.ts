import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import { MillraceError } from '../errors.js';
import { AnyLineCutter, SequenceCutter } from './endCutter.js';
import type { Format } from './format.js';
import { lineCutter, nextSpan, startsWithMark } from './lines.js';
import type { Cutter, ObjectDecoder, Reader } from './reader.js';
import { typeName } from './typeName.js';
import { validated } from './validated.js';
import type { RowWriter } from './writer.js';

/** Options of {@link text}. */
export interface TextOptions<T = string> {
  /**
   * Validates every line that is read, and may transform it: any Standard Schema (zod, valibot, arktype, …) that validates
   * synchronously. Lines that it rejects are malformed records.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /**
   * What ends a record. Default `\n`, also after `\r`. `any`: LF, CRLF or a lone CR; written as `\n`. Any other string, of at
   * most 64 bytes in UTF-8: exactly this one, such as `\r`, `\0` or `\n\n`.
   */
  readonly lineEnd?: string;
}

const names: OptionNames<TextOptions> = { schema: true, lineEnd: true };

/**
 * One line of UTF-8 text per record, without its line end. Empty lines are records. Bytes that are not UTF-8 are read as
 * U+FFFD. A byte order mark at the start of any line is dropped (concatenated files have several). Only lines that exceed
 * the maximum length, and those that the schema rejects, are malformed.
 *
 * Errors: `AsyncSchema` (the schema validates asynchronously), `NotText` (a written record is not a string, or contains a line end and would be read back as two),
 * `InvalidOption`.
 *
 * @example
 * ```ts
 * const lines = files('file:///var/log/*.log.gz', { format: text() });
 * ```
 */
export function text<T>(
  options: TextOptions<T> & { readonly schema: StandardSchemaV1<unknown, T> },
): Reader<T> & RowWriter<string>;
export function text(options?: TextOptions): Format<string>;
export function text(options: TextOptions<unknown> = {}): Reader<unknown> & RowWriter<string> {
  checkOptions('text', options, names);
  const { lineEnd = '\n', schema } = options;
  if (typeof (lineEnd as unknown) !== 'string' || lineEnd === '' || Buffer.byteLength(lineEnd) > 64)
    throw new InvalidOption('text: lineEnd', lineEnd, "'any', or a string of 1 to 64 bytes");
  const written = lineEnd === 'any' ? '\n' : lineEnd;
  const splits =
    lineEnd === 'any'
      ? (record: string) => /[\r\n]/.test(record)
      : (record: string) => (record + lineEnd).indexOf(lineEnd) < record.length;
  const reader: Reader<string> = {
    name: lineEnd === '\n' ? 'text' : `text with line end ${JSON.stringify(lineEnd)}`,
    // NUL as line end looks like UTF-16.
    text: !lineEnd.includes('\0'),
    ...splittingOf(lineEnd),
    decoder: decoderOf(lineEnd),
  };
  const ends = lineEnd === '\n' || lineEnd === 'any' ? ['\r\n', '\n', '\r'] : [lineEnd];
  return {
    ...validated('text', reader, schema, { ends, text: (bytes) => bytes.toString() }),
    extension: '.txt',
    encode(record: unknown) {
      if (typeof record !== 'string')
        throw notText(
          `is a value of type ${typeName(record)}, but text() writes only strings: map it to one`,
        );
      if (splits(record))
        throw notText(
          'contains a newline and would be read back as two: split it, or write it with ndjson()',
        );
      return record + written;
    },
  };
}

/** From the middle of an object, the occurrences of an end that can overlap itself (`\n\n`) are not known. */
function splittingOf(lineEnd: string): Pick<Format<string>, 'splitting'> {
  if (lineEnd === 'any') return { splitting: { before: 0 } };
  const end = Buffer.from(lineEnd);
  for (let shift = 1; shift < end.length; shift++)
    if (end.subarray(shift).equals(end.subarray(0, end.length - shift))) return {};
  return { splitting: { before: end.length - 1 } };
}

function decoderOf(lineEnd: string): () => ObjectDecoder<string> {
  if (lineEnd === '\n') return () => lineDecoder;
  if (lineEnd === 'any') return () => splitDecoder(new AnyLineCutter(), /\r\n|\r|\n/);
  const end = Buffer.from(lineEnd);
  return () => splitDecoder(new SequenceCutter(end), lineEnd);
}

const lineDecoder: ObjectDecoder<string> = {
  ...lineCutter,
  decode(block, _start, _line, on) {
    let lines = 0;
    for (let from = 0; from < block.length;) {
      const span = nextSpan(block, from);
      from = span.to;
      const chars = span.text ?? block.toString('utf8', span.from, span.to);
      for (let at = 0; at < chars.length; lines++) {
        let to = chars.indexOf('\n', at);
        const first = !span.ascii && startsWithMark(chars, at) ? at + 1 : at;
        if (to < 0) {
          to = chars.length;
          // A byte order mark alone is not a line.
          if (first === to) break;
        }
        on(chars.slice(first, to > at && chars[to - 1] === '\r' ? to - 1 : to));
        at = to + 1;
      }
    }
    return lines;
  },
};

/** Decodes lines with any other end. */
function splitDecoder(cutter: Cutter, end: string | RegExp): ObjectDecoder<string> {
  return {
    first: (bytes, from, to) => cutter.first(bytes, from, to),
    last: (bytes, from, to) => cutter.last(bytes, from, to),
    decode(block, _start, _line, on) {
      const lines = block.toString().split(end);
      const last = lines.pop() ?? '';
      // After the last line end there is no line, nor is a byte order mark alone one.
      if (last !== '' && last !== '\uFEFF') lines.push(last);
      for (const line of lines) on(startsWithMark(line, 0) ? line.slice(1) : line);
      return lines.length;
    },
  };
}

const notText = (what: string): MillraceError =>
  new MillraceError('NotText', `A record ${what} before the sink.`);
