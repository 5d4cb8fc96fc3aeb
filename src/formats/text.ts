import { MillraceError } from '../errors.js';
import type { Format } from './format.js';
import { lineCutter, nextSpan, startsWithMark } from './lines.js';
import type { ObjectDecoder } from './reader.js';
import { typeName } from './typeName.js';

/**
 * One line of UTF-8 text per record, without its line end. Empty lines are records. Bytes that are not UTF-8 are read as
 * U+FFFD. A byte order mark at the start of any line is dropped (concatenated files have several). Only lines that exceed
 * the maximum length are malformed.
 *
 * Errors: `NotText` (a written record is not a string, or contains a newline and would be read back as two).
 *
 * @example
 * ```ts
 * const lines = files('file:///var/log/*.log.gz', { format: text() });
 * ```
 */
export function text(): Format<string> {
  return {
    name: 'text',
    extension: '.txt',
    text: true,
    decoder: () => lineDecoder,
    encode(record: unknown) {
      if (typeof record !== 'string')
        throw notText(
          `is a value of type ${typeName(record)}, but text() writes only strings: map it to one`,
        );
      if (record.includes('\n'))
        throw notText(
          'contains a newline and would be read back as two: split it, or write it with ndjson()',
        );
      return record + '\n';
    },
  };
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

const notText = (what: string): MillraceError =>
  new MillraceError('NotText', `A record ${what} before the sink.`);
