import type { Source } from 'millrace/operators';

/** The numbers from 0 to `end` - 1. */
export function countTo(end: number): Source<number> {
  return {
    description: `countTo ${end}`,
    open: ({ position }) => {
      let next = typeof position === 'number' ? position : 0;
      let bytes = 0;
      return {
        poll(out) {
          for (let i = 0; i < 1000 && next < end; i++) {
            out.record(next++);
            bytes += 8;
          }
          return next < end ? 'more' : 'end';
        },
        position: () => next,
        get bytes() {
          return bytes;
        },
        close: () => undefined,
      };
    },
  };
}
