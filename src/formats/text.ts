import type { Format } from './format.js';
import { lineCutter, nextSpan, textStart } from './lines.js';

/**
 * One line of UTF-8 text a record, without its line end. Empty lines are records; bytes that are not UTF-8 read as
 * U+FFFD; a byte order mark at the object's start is dropped. Nothing is malformed but a line over the maximum length.
 *
 * A record to be written must not hold a newline: it would read back as two.
 *
 * @example
 * ```ts
 * const lines = files('file:///var/log/*.log.gz', { format: text() });
 * ```
 */
export function text(): Format<string> {
  return {
    extension: '.txt',
    text: true,
    cutter: () => lineCutter,
    encode: (record) => record + '\n',
    decode(block, start, _line, on) {
      let lines = 0;
      for (let from = textStart(block, start); from < block.length;) {
        const span = nextSpan(block, from);
        from = span.to;
        const chars = span.text ?? block.toString('utf8', span.from, span.to);
        for (let at = 0; at < chars.length; lines++) {
          let to = chars.indexOf('\n', at);
          if (to < 0) to = chars.length;
          on(chars.slice(at, to > at && chars[to - 1] === '\r' ? to - 1 : to));
          at = to + 1;
        }
      }
      return lines;
    },
  };
}
