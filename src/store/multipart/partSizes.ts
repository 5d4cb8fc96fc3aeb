/** S3's limits: parts of an upload, bytes of an object, bytes of a part (the last may be smaller than `minPart`). */
import { awsMinimumPartSize } from '../helpers.js';
import type { ByteRange } from '../objectStore.js';

const MiB = 2 ** 20;

export const maxParts = 10_000;
export const maxObject = 5 * 2 ** 40;
export const minPart = awsMinimumPartSize;
export const maxPart = 5 * 2 ** 30;

/**
 * The size of a part of an object of unknown size. The first thousand parts have the base size; after that, the size grows by
 * 1 MiB every seven parts. So 10,000 parts can hold 5 TiB whatever the base, and none comes near 5 GiB.
 */
export function partSizeOf(number: number, base: number): number {
  return number <= 1000 ? base : base + MiB * Math.ceil((number - 1000) / 7);
}

/** The largest part of an object of `size` bytes that is written with parts of {@link partSizeOf}. */
export function largestPart(size: number, base: number): number {
  let number = 1;
  for (let total = base; total < size && number < maxParts; total += partSizeOf(number, base)) number++;
  return partSizeOf(number, base);
}

/** The parts of an object of known size: `size` bytes each, except the last. */
export interface Parts {
  readonly size: number;
  readonly count: number;
  /** The bytes of part `number`, from 1. */
  range(number: number): Required<ByteRange>;
}

/** Parts of the wanted size, or of the smallest number of MiB that stays within {@link maxParts}. */
export function partsOf(bytes: number, wanted: number): Parts {
  const needed = Math.ceil(bytes / maxParts / MiB) * MiB;
  const size = Math.max(wanted, needed);
  return {
    size,
    count: Math.ceil(bytes / size),
    range: (number) => ({ start: (number - 1) * size, end: Math.min(number * size, bytes) }),
  };
}
