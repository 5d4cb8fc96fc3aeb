import type { OperatorEvent } from '../../../src/flow/index.js';
import { SkippedOnce } from '../../../src/sources/continuous/skippedOnce.js';

const skipped = (object: string, reason = 'It leads nowhere.'): OperatorEvent => ({
  type: 'input-skipped',
  operator: 'in',
  object,
  reason,
});

test('what the last listing has skipped for the same reason is not reported again', () => {
  const reported: OperatorEvent[] = [];
  const once = new SkippedOnce((event) => reported.push(event));
  const listing = (...events: readonly OperatorEvent[]): readonly OperatorEvent[] => {
    reported.length = 0;
    once.begin();
    for (const event of events) once.report(event);
    return [...reported];
  };
  const other: OperatorEvent = { type: 'other', operator: 'in' };
  expect(listing(skipped('a'), skipped('b'))).toEqual([skipped('a'), skipped('b')]);
  expect(listing(skipped('a'), other, skipped('b', 'It is a pipe.'))).toEqual([
    other,
    skipped('b', 'It is a pipe.'),
  ]);
  expect(listing(skipped('b', 'It is a pipe.'))).toEqual([]);
  expect(listing(skipped('a'))).toEqual([skipped('a')]);
});

test('memory is bounded: beyond 10,000 each is reported at every listing', () => {
  let count = 0;
  const once = new SkippedOnce(() => count++);
  for (let round = 0; round < 2; round++) {
    once.begin();
    for (let n = 0; n < 10_005; n++) once.report(skipped(String(n)));
  }
  expect(count).toBe(10_010);
});
