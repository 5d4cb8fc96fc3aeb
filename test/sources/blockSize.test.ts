import { BlockSize } from '../../src/sources/blockSize.js';

/** The sizes of blocks whose time is `millis` of their size. Records have 100 bytes. */
function sizes(blocks: number, millis: (bytes: number) => number, size = new BlockSize(16_384)): number[] {
  return Array.from({ length: blocks }, () => {
    const bytes = Math.max(100, Math.floor(size.limit / 100) * 100);
    size.took(bytes, millis(bytes));
    return bytes;
  });
}

const average = (values: readonly number[]): number =>
  values.reduce((sum, each) => sum + each, 0) / values.length;

test('the first block is small, and fast ones grow', () => {
  expect(sizes(6, (bytes) => bytes / 1e6)).toEqual([1000, 2000, 4000, 8100, 16_300, 16_300]);
});

test('blocks of slow records have one each, and grow when records are fast again', () => {
  const size = new BlockSize(16_384);
  sizes(10, () => 0, size);
  const slow = sizes(20, (bytes) => bytes * 0.03, size);
  expect(slow.slice(-5)).toEqual([100, 100, 100, 100, 100]);
  expect(sizes(20, () => 0.01, size).at(-1)).toBe(16_300);
});

test('blocks of a millisecond stay about as they are', () => {
  const found = sizes(40, (bytes) => bytes * 0.001).slice(10);
  expect(Math.min(...found)).toBeGreaterThanOrEqual(500);
  expect(Math.max(...found)).toBeLessThanOrEqual(4000);
});

test.each([0.6, 1.2, 5])(
  'blocks do not shrink because of the %s ms that each takes, whatever its size',
  (millis) => {
    expect(average(sizes(100, (bytes) => millis + bytes * 1e-6))).toBeGreaterThan(8192);
  },
);

test('one block that was slow for another reason changes little', () => {
  const size = new BlockSize(16_384);
  sizes(10, () => 0.1, size);
  sizes(1, () => 50, size);
  expect(average(sizes(10, () => 0.1, size))).toBeGreaterThan(12_000);
});
