import fc from 'fast-check';
import { backoffDelay } from '../../src/flow/backoff.js';

describe('backoff', () => {
  it('doubles up to its limit, within its spread', () => {
    const half = { first: 100, max: 1000, spread: [0.5, 1] } as const;
    expect([1, 2, 3, 4, 5].map((n) => backoffDelay(half, n, 0))).toEqual([50, 100, 200, 400, 500]);
    expect([1, 2, 3, 4, 5].map((n) => backoffDelay(half, n, 1))).toEqual([100, 200, 400, 800, 1000]);
  });

  it('is never negative, longer than its limit, or NaN, after any number of failures', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, multiplier, jitter, random) => {
          const policy = { first: 1000, max: 60_000, multiplier, spread: [1 - jitter, 1 + jitter] } as const;
          const delay = backoffDelay(policy, failures, random);
          const full = Math.min(60_000, 1000 * multiplier ** (failures - 1));
          return delay >= full * (1 - jitter) - 1e-6 && delay <= Math.min(60_000, full * (1 + jitter)) + 1e-6;
        },
      ),
    );
  });
});
