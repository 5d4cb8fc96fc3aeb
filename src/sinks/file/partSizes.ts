const MiB = 2 ** 20;

/** S3 allows so many parts to an upload, and so many bytes to an object. */
export const maxParts = 10_000;
export const maxObject = 5 * 2 ** 40;

/**
 * The size of a part. The first thousand have the base size, then every seventh is 1 MiB larger than those before:
 * 10,000 parts hold 5 TiB whatever the base, and none comes near 5 GiB.
 */
export function partSizeOf(number: number, base: number): number {
  return number <= 1000 ? base : base + MiB * Math.ceil((number - 1000) / 7);
}

/** The largest part of a file of `size` bytes. */
export function largestPart(size: number, base: number): number {
  let number = 1;
  for (let total = base; total < size && number < maxParts; total += partSizeOf(number, base)) number++;
  return partSizeOf(number, base);
}
