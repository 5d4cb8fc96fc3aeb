import { isUtf8 } from 'node:buffer';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import { isDeeper } from './depth.js';
import type { Format } from './format.js';
import { jsonEncoder } from './jsonEncoder.js';
import { hasLongNumber, parseExactly } from './jsonNumbers.js';
import { LineBytes, lineCutter, nextSpan, startsWithMark, type Span } from './lines.js';
import type { Malformed, ObjectDecoder } from './reader.js';
import { Refused, validator } from './validator.js';

/** Options of {@link ndjson}. */
export interface NdjsonOptions<T> {
  /**
   * Validates every value that is read, and may transform it: any Standard Schema (zod, valibot, arktype, …) that
   * validates synchronously. Values that it rejects are malformed records.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /**
   * How to read numbers with more digits than a double has. `exact` (default): an integer beyond ±(2⁵³ − 1) is read as a
   * `bigint`, any other number as a `JsonNumber`, without losing digits. Lines without such numbers are parsed as fast as
   * with `double`. `double`: every number is a `number`, rounded like `JSON.parse` does. Writing keeps all digits either way.
   */
  readonly numbers?: 'exact' | 'double';
  /**
   * The maximum nesting of arrays and objects. A line with more is malformed. 1 to 3,000, default 400: later stages are
   * recursive, and state supports 500 levels.
   */
  readonly maxDepth?: number;
}

const names: OptionNames<NdjsonOptions<never>> = { schema: true, numbers: true, maxDepth: true };

/**
 * One JSON value per line, in UTF-8.
 *
 * The reader accepts CRLF, a byte order mark at the start of any line (concatenated files have several), and a last line
 * without a newline; it ignores blank lines. A line is malformed if it is not JSON, not UTF-8, nested too deeply, or rejected by
 * the schema. Without a schema, `T` is not checked.
 *
 * The writer works like `JSON.stringify`: properties that are `undefined` or functions are left out, `NaN` and infinities
 * become `null`, and `toJSON` is called. Bigints are written as integers. Values that `JSON.stringify` writes as `{}` although
 * they are not empty objects (a Promise, a Map, a Set, an Error) are refused.
 *
 * Errors: `AsyncSchema` (the schema validates asynchronously), `NotJson` (a written record has no JSON form),
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
  if (!Number.isInteger(maxDepth) || maxDepth < 1 || maxDepth > 3000)
    throw new InvalidOption('ndjson: maxDepth', maxDepth, 'a whole number from 1 to 3,000');
  const validate = validator('ndjson', schema);
  const parserOf = (parse: Parse<unknown>): Parse<T> => {
    const parseLimited = limited(maxDepth, parse);
    return schema === undefined ? (parseLimited as Parse<T>) : (text) => validate(parseLimited(text));
  };
  const parse = parserOf(JSON.parse);
  const parseLong = numbers === 'exact' ? parserOf(parseExactly) : undefined;
  const encode = jsonEncoder();
  const parsers = { parse, parseLong };
  // Lines are independent of each other, so one decoder serves all objects.
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

type Parse<T> = (text: string) => T;

interface Parsers<T> {
  readonly parse: Parse<T>;
  /** For spans with numbers that a double may not represent. */
  readonly parseLong: Parse<T> | undefined;
}

class TooDeep extends Error {}

function limited(maxDepth: number, parse: Parse<unknown>): Parse<unknown> {
  return (text) => {
    if (isDeeper(text, maxDepth)) throw new TooDeep(`nested more than ${maxDepth} deep (maxDepth)`);
    return parse(text);
  };
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

  /** Some line of the span is not UTF-8. Decodes line by line, to read the others. */
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

/** Parses a line again without its byte order mark, if it has one. Otherwise returns why the line is malformed. */
function parseAgain<T>(parse: Parse<T>, line: string, error: unknown): { readonly value: T } | string {
  if (!startsWithMark(line, 0)) return reasonOf(error);
  try {
    return { value: parse(line.slice(1)) };
  } catch (second) {
    return reasonOf(second);
  }
}

/** Why the line is malformed. An error that comes neither from the parser nor from the schema is rethrown. */
function reasonOf(error: unknown): string {
  if (error instanceof Refused || error instanceof SyntaxError || error instanceof TooDeep)
    return error.message;
  throw error;
}
