import { isUtf8 } from 'node:buffer';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { MillraceError } from '../errors.js';
import type { Format, Malformed } from './format.js';
import { LineBytes, lineCutter, nextSpan, textStart } from './lines.js';

/** Settings of {@link ndjson}. */
export interface NdjsonOptions<T> {
  /**
   * Checks every value that is read, and may transform it: any Standard Schema (zod, valibot, arktype, …) that
   * validates synchronously. What it refuses is malformed.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
}

const names: OptionNames<NdjsonOptions<never>> = { schema: true };

/**
 * One JSON value a line, in UTF-8.
 *
 * Reading takes CRLF, a byte order mark at the object's start and a last line without newline; blank lines are no
 * records. A line that is not JSON, not UTF-8, or not what the schema wants is malformed. Without a schema `T` is
 * believed, not checked.
 *
 * Errors: `AsyncSchema` (the schema answers with a promise), `NotJson` (a record to be written has no JSON form).
 *
 * @example
 * ```ts
 * const visits = files('s3://lake/raw/**', { format: ndjson<Visit>() });
 * ```
 */
export function ndjson<T>(options: NdjsonOptions<T> = {}): Format<T> {
  checkOptions('ndjson', options, names);
  const parse = options.schema === undefined ? (JSON.parse as (text: string) => T) : checked(options.schema);
  return {
    extension: '.ndjson',
    text: true,
    cutter: () => lineCutter,
    encode(record) {
      // `JSON.stringify` says string and means string | undefined.
      const text = JSON.stringify(record) as string | undefined;
      if (text === undefined) {
        throw new MillraceError(
          'NotJson',
          `A record of type ${typeof record} has no JSON form: map it to one before the sink.`,
        );
      }
      return text + '\n';
    },
    decode: (block, start, line, on, malformed) => decode(parse, block, start, line, on, malformed),
  };
}

/** What a schema's complaint becomes on its way from the parser to `malformed`. */
class Refused extends Error {}

function checked<T>(schema: StandardSchemaV1<unknown, T>): (text: string) => T {
  const standard = schema['~standard'];
  return (text) => {
    const result = standard.validate(JSON.parse(text));
    if (result instanceof Promise) {
      throw new MillraceError(
        'AsyncSchema',
        `The ${standard.vendor} schema given to ndjson validates asynchronously: use one that answers at once, or check later with mapAsync.`,
      );
    }
    if (result.issues === undefined) return result.value;
    throw new Refused(result.issues.map(issueText).join('; '));
  };
}

function issueText({ message, path }: StandardSchemaV1.Issue): string {
  if (path === undefined || path.length === 0) return message;
  return `${path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.')}: ${message}`;
}

function decode<T>(
  parse: (text: string) => T,
  block: Buffer,
  start: number,
  firstLine: number,
  on: (record: T) => void,
  malformed: (bad: Malformed) => void,
): number {
  let lines = 0;
  let places: LineBytes | undefined;
  const textFrom = textStart(block, start);

  const refuse = (line: number, reason: string): void => {
    const { from, to } = (places ??= new LineBytes(block, textFrom)).at(line);
    const text = block.toString('utf8', from, to);
    if (text.trim() === '') return;
    malformed({ offset: start + from, length: to - from, line: firstLine + line, text, reason });
  };

  for (let from = textFrom; from < block.length;) {
    const span = nextSpan(block, from);
    from = span.to;
    if (span.text === undefined) {
      lines += decodeBadSpan(span.from, span.to);
      continue;
    }
    const text = span.text;
    for (let at = 0; at < text.length; lines++) {
      let to = text.indexOf('\n', at);
      if (to < 0) to = text.length;
      if (to > at) {
        let value: T;
        try {
          value = parse(text.slice(at, to));
        } catch (error) {
          refuse(lines, reasonOf(error));
          at = to + 1;
          continue;
        }
        on(value);
      }
      at = to + 1;
    }
  }
  return lines;

  /** Some line here is not UTF-8: one by one, so that its neighbours are read. */
  function decodeBadSpan(from: number, to: number): number {
    let seen = 0;
    for (; from < to; seen++) {
      const next = lineCutter.first(block, from, to);
      const lineEnd = next < 0 ? to : next - 1;
      if (lineEnd > from) {
        if (!isUtf8(block.subarray(from, lineEnd))) refuse(lines + seen, 'not valid UTF-8');
        else {
          let value: { readonly parsed: T } | undefined;
          try {
            value = { parsed: parse(block.toString('utf8', from, lineEnd)) };
          } catch (error) {
            refuse(lines + seen, reasonOf(error));
          }
          if (value !== undefined) on(value.parsed);
        }
      }
      from = next < 0 ? to : next;
    }
    return seen;
  }
}

/** Why the line is malformed; anything but a parser's or a schema's complaint is a bug and is thrown on. */
function reasonOf(error: unknown): string {
  if (error instanceof Refused) return `refused by the schema: ${error.message}`;
  if (error instanceof SyntaxError) return error.message;
  throw error;
}
