import type { ByteRange } from '../../../store/objectStore.js';

const MiB = 2 ** 20;
const mostParts = 10_000;

/** How an object is cut: parts of `size` bytes, but for the last. */
export interface Parts {
  readonly size: number;
  readonly count: number;
  /** Bytes of part `number`, which counts from 1. */
  range(number: number): Required<ByteRange>;
}

/** Parts of the wanted size, or of as many whole MiB as keep their number within what S3 takes. */
export function partsOf(bytes: number, wanted: number): Parts {
  const needed = Math.ceil(bytes / mostParts / MiB) * MiB;
  const size = Math.max(wanted, needed);
  return {
    size,
    count: Math.ceil(bytes / size),
    range: (number) => ({ start: (number - 1) * size, end: Math.min(number * size, bytes) }),
  };
}
