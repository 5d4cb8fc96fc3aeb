import fc from 'fast-check';
import { levelOf, planCompaction } from '../../../src/state/runs/compaction.js';

/** The size of a run at a level. */
const of = (level: number, trigger: number) => 200_000 * trigger ** level;

describe('compaction', () => {
  test('neighbours of one level are merged once there are enough, the youngest first', () => {
    const plan = (trigger: number, ...levels: number[]) =>
      planCompaction(
        levels.map((level) => of(level, trigger)),
        trigger,
      );
    expect(plan(4)).toBeUndefined();
    expect(plan(4, 0, 0, 0)).toBeUndefined();
    expect(plan(4, 0, 0, 0, 0)).toEqual({ first: 0, end: 4 });
    expect(plan(4, 3, 1, 1, 0, 0, 0, 0)).toEqual({ first: 3, end: 7 });
    expect(plan(4, 1, 1, 1, 1, 0)).toEqual({ first: 0, end: 4 });
    expect(plan(4, 1, 0, 1, 0, 1, 0)).toEqual({ first: 0, end: 5 });
    expect(plan(2, 1, 0)).toBeUndefined();
    expect(plan(2, 1, 0, 0)).toEqual({ first: 1, end: 3 });
    expect(plan(8, ...Array.from({ length: 7 }, () => 0))).toBeUndefined();
    expect(plan(8, ...Array.from({ length: 8 }, () => 0))).toEqual({ first: 0, end: 8 });
  });

  test('a merge has at most 16 inputs', () => {
    const segments = Array.from({ length: 40 }, () => of(0, 4));
    expect(planCompaction(segments, 4)).toEqual({ first: 24, end: 40 });
    expect(planCompaction(segments, 16)).toEqual({ first: 24, end: 40 });
  });

  test('the number of segments stays logarithmic in the size of the state, and so does rewriting', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 100, max: 4_000_000 }), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 2, max: 16 }),
        (sizes, trigger) => {
          let segments: number[] = [];
          let written = 0;
          let total = 0;
          for (const bytes of sizes) {
            total += bytes;
            segments.push(bytes);
            const plan = () => planCompaction(segments, trigger);
            for (let merge = plan(); merge !== undefined; merge = plan()) {
              const { first, end } = merge;
              const merged = segments.slice(first, end).reduce((sum, each) => sum + each, 0);
              written += merged;
              segments = segments.toSpliced(first, end - first, merged);
            }
            const levels = levelOf(total, trigger) + 1;
            expect(segments.length).toBeLessThanOrEqual((trigger - 1) * levels);
            expect(written).toBeLessThanOrEqual(total * (levels + 4));
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
