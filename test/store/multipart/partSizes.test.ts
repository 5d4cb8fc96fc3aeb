import fc from 'fast-check';
import {
  largestPart,
  maxObject,
  maxPart,
  maxParts,
  minPart,
  partSizeOf,
  partsOf,
} from '../../../src/store/multipart/index.js';

const MiB = 2 ** 20;
const base = fc.integer({ min: 5, max: 1024 }).map((size) => size * MiB);
const bytes = fc.oneof(
  fc.integer({ min: 0, max: 64 * MiB }),
  fc.integer({ min: 0, max: maxObject }),
  fc.constantFrom(1, maxObject, maxObject - 1, maxParts * 8 * MiB, maxParts * 8 * MiB + 1),
);

describe('parts of an object whose size is not known', () => {
  it('hold 5 TiB in 10,000, each between 5 MiB and 5 GiB, and never shrink', () => {
    fc.assert(
      fc.property(base, (first) => {
        let total = 0;
        let before = first;
        for (let number = 1; number <= maxParts; number++) {
          const size = partSizeOf(number, first);
          if (size < before || size < minPart || size > maxPart) return false;
          total += before = size;
        }
        return total >= maxObject && partSizeOf(1000, first) === first;
      }),
      { numRuns: 30 },
    );
  });

  it('are never larger than announced', () => {
    fc.assert(
      fc.property(base, bytes, (first, size) => {
        let largest = first;
        for (let number = 1, total = first; total < size && number < maxParts; number++) {
          largest = partSizeOf(number + 1, first);
          total += largest;
        }
        expect(largestPart(size, first)).toBe(largest);
        expect(largestPart(1000 * first, first)).toBe(first);
        expect(largestPart(1000 * first + 1, first)).toBe(first + MiB);
      }),
    );
  });
});

describe('parts of an object of a known size', () => {
  it('cover it without gaps, in at most 10,000 of a size that S3 accepts', () => {
    fc.assert(
      fc.property(base, bytes, (wanted, size) => {
        const parts = partsOf(size, wanted);
        expect(parts.count).toBeLessThanOrEqual(maxParts);
        expect(parts.size).toBeGreaterThanOrEqual(minPart);
        expect(parts.size).toBeLessThanOrEqual(maxPart);
        if (size <= maxParts * wanted) expect(parts.size).toBe(wanted);
        if (size === 0) return;
        let at = 0;
        for (let number = 1; number <= parts.count; number++) {
          const { start, end } = parts.range(number);
          if (start !== at || end <= start || end - start > parts.size) throw new Error(`part ${number}`);
          if (number < parts.count && end - start < minPart) throw new Error(`small part ${number}`);
          at = end;
        }
        expect(at).toBe(size);
      }),
    );
  });
});
