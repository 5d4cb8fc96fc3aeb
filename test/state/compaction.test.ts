import fc from 'fast-check';
import { levelOf, planCompaction } from '../../src/state/compaction.js';

describe('compaction', () => {
  test('four neighbours of one level are merged, the youngest first', () => {
    const plan = (...levels: number[]) => planCompaction(levels.map((level) => ({ level })));
    expect(plan()).toBeUndefined();
    expect(plan(0, 0, 0)).toBeUndefined();
    expect(plan(0, 0, 0, 0)).toEqual({ first: 0, end: 4 });
    expect(plan(3, 1, 1, 0, 0, 0, 0)).toEqual({ first: 3, end: 7 });
    expect(plan(1, 1, 1, 1, 0)).toEqual({ first: 0, end: 4 });
    expect(plan(1, 0, 1, 0, 1, 0)).toEqual({ first: 0, end: 5 });
  });

  test('a merge has at most 16 inputs', () => {
    expect(planCompaction(Array.from({ length: 40 }, () => ({ level: 0 })))).toEqual({ first: 24, end: 40 });
  });

  test('the number of segments stays logarithmic in the size of the state, and so does rewriting', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 100, max: 4_000_000 }), { minLength: 1, maxLength: 300 }),
        (sizes) => {
          let segments: { bytes: number; level: number }[] = [];
          let written = 0;
          let total = 0;
          for (const bytes of sizes) {
            total += bytes;
            segments.push({ bytes, level: levelOf(bytes) });
            for (let plan = planCompaction(segments); plan !== undefined; plan = planCompaction(segments)) {
              const merged = segments.slice(plan.first, plan.end).reduce((sum, s) => sum + s.bytes, 0);
              written += merged;
              segments = segments.toSpliced(plan.first, plan.end - plan.first, {
                bytes: merged,
                level: levelOf(merged),
              });
            }
            const levels = levelOf(total) + 1;
            expect(segments.length).toBeLessThanOrEqual(3 * levels);
            expect(written).toBeLessThanOrEqual(total * (levels + 4));
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
