import { isUtf8 } from 'node:buffer';
import { checkOptions } from '../config/checkOptions.js';
import type { Format } from './format.js';
import { jsonEncoder } from './jsonEncoder.js';
import { hasLongNumber } from './jsonNumbers.js';
import {
  jsonOptionNames,
  jsonParsers,
  reasonOf,
  type JsonParsers,
  type NdjsonOptions,
  type Parse,
} from './jsonParsers.js';
import { LineBytes, lineCutter, nextSpan, startsWithMark, type Span } from './lines.js';
import type { Malformed, ObjectDecoder } from './reader.js';

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
  checkOptions('ndjson', options, jsonOptionNames);
  const parsers = jsonParsers('ndjson', options);
  const encode = jsonEncoder();
  // Lines are independent of each other, so one decoder serves all objects.
  const decoder: ObjectDecoder<T> = {
    ...lineCutter,
    decode: (block, start, line, on, malformed) => decode(parsers, block, start, line, on, malformed),
  };
  return {
    name: 'ndjson',
    extension: '.ndjson',
    text: true,
    splitting: { before: 0 },
    decoder: () => decoder,
    encode: (record) => encode(record) + '\n',
  };
}

function decode<T>(
  parsers: JsonParsers<T>,
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
