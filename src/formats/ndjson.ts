import { isUtf8 } from 'node:buffer';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import { MillraceError } from '../errors.js';
import { isDeeper } from './depth.js';
import type { Format } from './format.js';
import { jsonEncoder } from './jsonEncoder.js';
import { hasLongNumber, parseExactly } from './jsonNumbers.js';
import { LineBytes, lineCutter, nextSpan, startsWithMark, type Span } from './lines.js';
import type { Malformed, ObjectDecoder } from './reader.js';

/** Settings of {@link ndjson}. */
export interface NdjsonOptions<T> {
  /**
   * Checks every value that is read, and may transform it: any Standard Schema (zod, valibot, arktype, …) that
   * validates synchronously. What it refuses is malformed.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /**
   * Numbers with more digits than a double holds. `exact` (default): an integer beyond ±(2⁵³ − 1) is read as a `bigint`,
   * any other as a `JsonNumber`, so that no digit is lost; a line without such a number is parsed as fast as ever.
   * `double`: every number is a `number`, rounded, as `JSON.parse` has it. Writing keeps all digits either way.
   */
  readonly numbers?: 'exact' | 'double';
  /**
   * Arrays and objects in each other, at most; a line with more is malformed. 1 to 3,000, default 400: what takes a record further
   * is recursive, and state holds 500 levels.
   */
  readonly maxDepth?: number;
}

const names: OptionNames<NdjsonOptions<never>> = { schema: true, numbers: true, maxDepth: true };

/**
 * One JSON value a line, in UTF-8.
 *
 * Reading takes CRLF, a byte order mark at the start of a line (joined files have several), and a last line without newline;
 * blank lines are no records. A line that is not JSON, not UTF-8, nested too deeply, or not what the schema wants is malformed. Without a schema
 * `T` is believed, not checked.
 *
 * Writing goes by `JSON.stringify`: properties that are `undefined` or functions are left out, `NaN` and infinities are `null`,
 * and `toJSON` counts. Bigints are integers. A Promise, a Map, a Set or an Error, of which `JSON.stringify` makes `{}`, is
 * refused.
 *
 * Errors: `AsyncSchema` (the schema answers with a promise), `NotJson` (a record to be written has no JSON form),
 * `InvalidOption`.
 *
 * @example
 * ```ts
 * const visits = files('s3://lake/raw/**', { format: ndjson<Visit>() });
 * ```
 */
export function ndjson<T>(options: NdjsonOptions<T> = {}): Format<T> {
  checkOptions('ndjson', options, names);
  const { schema, numbers = 'exact', maxDepth = 400 } = options;
  if (!['exact', 'double'].includes(numbers))
    throw new InvalidOption('ndjson: numbers', numbers, "'exact' or 'double'");
  if (schema !== undefined && typeof validatorOf(schema) !== 'function')
    throw new InvalidOption(
      'ndjson: schema',
      schema,
      'a Standard Schema, such as zod, valibot and arktype make',
    );
  if (!Number.isInteger(maxDepth) || maxDepth < 1 || maxDepth > 3000)
    throw new InvalidOption('ndjson: maxDepth', maxDepth, 'a whole number from 1 to 3,000');
  const parserOf = (parse: Parse<unknown>): Parse<T> =>
    schema === undefined ? (limited(maxDepth, parse) as Parse<T>) : checked(schema, limited(maxDepth, parse));
  const parse = parserOf(JSON.parse);
  const parseLong = numbers === 'exact' ? parserOf(parseExactly) : undefined;
  const encode = jsonEncoder();
  const parsers = { parse, parseLong };
  // Lines need nothing of those before them: one decoder serves all objects.
  const decoder: ObjectDecoder<T> = {
    ...lineCutter,
    decode: (block, start, line, on, malformed) => decode(parsers, block, start, line, on, malformed),
  };
  return {
    name: 'ndjson',
    extension: '.ndjson',
    text: true,
    decoder: () => decoder,
    encode: (record) => encode(record) + '\n',
  };
}

/** Callers may be JavaScript. Some schemas are functions. */
const validatorOf = (schema: object): unknown =>
  (schema as { readonly '~standard'?: { readonly validate?: unknown } } | null)?.['~standard']?.validate;

type Parse<T> = (text: string) => T;

interface Parsers<T> {
  readonly parse: Parse<T>;
  /** For spans in which there are numbers that a double may not hold. */
  readonly parseLong: Parse<T> | undefined;
}

/** What a schema's complaint becomes on its way from the parser to `malformed`. */
class Refused extends Error {}

class TooDeep extends Error {}

function limited(maxDepth: number, parse: Parse<unknown>): Parse<unknown> {
  return (text) => {
    if (isDeeper(text, maxDepth)) throw new TooDeep(`nested more than ${maxDepth} deep (maxDepth)`);
    return parse(text);
  };
}

function checked<T>(schema: StandardSchemaV1<unknown, T>, parse: Parse<unknown>): Parse<T> {
  const standard = schema['~standard'];
  return (text) => {
    const result = standard.validate(parse(text));
    if (result instanceof Promise) {
      throw new MillraceError(
        'AsyncSchema',
        `The ${standard.vendor} schema given to ndjson validates asynchronously: use one that validates synchronously, or validate after values().`,
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
  parsers: Parsers<T>,
  block: Buffer,
  start: number,
  firstLine: number,
  on: (record: T) => void,
  malformed: (bad: Malformed) => void,
): number {
  let lines = 0;
  let places: LineBytes | undefined;

  const refuse = (line: number, reason: string): void => {
    const { from, to } = (places ??= new LineBytes(block)).at(line);
    const text = block.toString('utf8', from, to);
    if (text.trim() === '') return;
    malformed({ offset: start + from, length: to - from, line: firstLine + line, text, reason });
  };

  for (let from = 0; from < block.length;) {
    const span = nextSpan(block, from);
    from = span.to;
    const parse = parserOf(span);
    if (span.text === undefined) {
      lines += decodeBadSpan(parse, span.from, span.to);
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
          const again = parseAgain(parse, text.slice(at, to), error);
          if (typeof again === 'string') {
            refuse(lines, again);
            at = to + 1;
            continue;
          }
          value = again.value;
        }
        on(value);
      }
      at = to + 1;
    }
  }
  return lines;

  function parserOf({ from, to }: Span): Parse<T> {
    const { parse, parseLong } = parsers;
    return parseLong !== undefined && hasLongNumber(block, from, to) ? parseLong : parse;
  }

  /** Some line here is not UTF-8: one by one, so that its neighbours are read. */
  function decodeBadSpan(parse: Parse<T>, from: number, to: number): number {
    let seen = 0;
    for (; from < to; seen++) {
      const next = lineCutter.first(block, from, to);
      const lineEnd = next < 0 ? to : next - 1;
      if (lineEnd > from) {
        if (!isUtf8(block.subarray(from, lineEnd))) refuse(lines + seen, 'not valid UTF-8');
        else {
          const text = block.toString('utf8', from, lineEnd);
          let result: { readonly value: T } | string;
          try {
            result = { value: parse(text) };
          } catch (error) {
            result = parseAgain(parse, text, error);
          }
          if (typeof result === 'string') refuse(lines + seen, result);
          else on(result.value);
        }
      }
      from = next < 0 ? to : next;
    }
    return seen;
  }
}

/** Parses a line without its byte order mark, which joined files have in their middle, too; or says why it is malformed. */
function parseAgain<T>(parse: Parse<T>, line: string, error: unknown): { readonly value: T } | string {
  if (!startsWithMark(line, 0)) return reasonOf(error);
  try {
    return { value: parse(line.slice(1)) };
  } catch (second) {
    return reasonOf(second);
  }
}

/** Why the line is malformed; anything but a parser's or a schema's complaint is a bug and is thrown on. */
function reasonOf(error: unknown): string {
  if (error instanceof Refused) return `refused by the schema: ${error.message}`;
  if (error instanceof SyntaxError || error instanceof TooDeep) return error.message;
  throw error;
}
