import { largestPart, maxObject, maxParts, partSizeOf } from '../../../src/sinks/file/partSizes.js';

const MiB = 2 ** 20;

describe('part sizes', () => {
  test.each([5 * MiB, 8 * MiB, 64 * MiB, 1024 * MiB])(
    'of base %d: 5 TiB fit in 10,000 parts of at most 5 GiB',
    (base) => {
      let total = 0;
      let largest = 0;
      for (let number = 1; number <= maxParts; number++) {
        total += partSizeOf(number, base);
        largest = Math.max(largest, partSizeOf(number, base));
      }
      expect(total).toBeGreaterThanOrEqual(maxObject);
      expect(largest).toBeLessThanOrEqual(5 * 2 ** 30);
      expect(partSizeOf(1, base)).toBe(base);
      expect(partSizeOf(1000, base)).toBe(base);
      expect(largestPart(1000 * base, base)).toBe(base);
    },
  );
});
