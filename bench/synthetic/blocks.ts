import type { Source, SourceReader } from 'millrace/operators';
import { period, text } from './content.js';

const blockSize = 64 << 10;

/**
 * The synthetic content as a source of string blocks of 64 KiB, which costs next to nothing, for measuring what
 * follows it. Its position is the offset.
 */
export function blocks(size: number): Source<string> {
  const all = text();
  return {
    description: `${size} synthetic bytes`,
    open({ position }): SourceReader<string> {
      const from = typeof position === 'number' ? position : 0;
      let offset = from;
      return {
        poll(out) {
          if (offset >= size) return 'end';
          const start = offset % period;
          const length = Math.min(blockSize, size - offset);
          offset += length;
          out.record(all.slice(start, start + length));
          return offset < size ? 'more' : 'end';
        },
        position: () => offset,
        get bytes() {
          return offset - from;
        },
        close: () => undefined,
      };
    },
  };
}
