import fc from 'fast-check';
import type { Observable } from 'rxjs';
import { mergeFlows } from '../../../src/index.js';
import { checkMergeLaws, mergeInputs, type MergeInput } from '../../../src/testing/index.js';
import { rightMerge, wrongMerges } from '../wrong/merges.js';

type Merge = (left: Observable<never>, right: Observable<never>) => Observable<unknown>;

const check = (merge: Merge, parameters: fc.Parameters<unknown> = {}): void => {
  const { errorInstance } = fc.check(
    fc.property(mergeInputs(fc), (input) => {
      checkMergeLaws(merge, input);
    }),
    { numRuns: 1000, ...parameters } as fc.Parameters<[MergeInput]>,
  );
  if (errorInstance !== null && errorInstance !== undefined) throw errorInstance as Error;
};

describe('the law of merging is kept by', () => {
  test('mergeFlows of flows that were merged', () => {
    check((left, right) => mergeFlows(mergeFlows(left), mergeFlows(right)));
  });

  test('mergeFlows', () => {
    check((left, right) => mergeFlows(left, right));
  });

  test("a user's own merge", () => {
    check(rightMerge);
  });
});

test.each(Object.entries(wrongMerges))('the law of merging finds a merge that %s', (_, [message, merge]) => {
  expect(() => {
    check(merge, { seed: 1 });
  }).toThrow(new RegExp(`Law of merging broken: .*(${message})`));
});
