import { isOf, Lineage } from '../../../src/sinks/outbox/lineage.js';
import { formatUid } from '../../../src/path/uids.js';
import {
  isNewBatch,
  isPublished,
  type OutboxLastMark,
  type OutboxMark,
} from '../../../src/sinks/outbox/mark.js';

function lineage(draw: number, ...restored: (readonly [string | undefined, number, number])[]): Lineage {
  const found = new Lineage(4, () => draw);
  for (const [origin, epoch, checkpoint] of restored)
    found.restored({ uid: formatUid({ jobId: 'j-b', sink: 'o', epoch, counter: 7 }), origin, checkpoint });
  return found;
}

test('history: what the restored checkpoint names, by origin, and then what the attempt makes', () => {
  const all = lineage(0.25, ['a', 1, 8], ['a', 1, 9], ['b', 2, 9], ['b', 2, 11]);
  expect(all.history).toEqual([
    { origin: 'a', epoch: 1, from: 8, to: 9 },
    { origin: 'b', epoch: 2, from: 9, to: 11 },
  ]);
  all.barrier(13);
  all.barrier(14);
  expect(all.history.at(-1)).toEqual({ origin: all.origin, epoch: 4, from: 13 });
  expect(lineage(0.26).origin).not.toBe(all.origin);
});

describe('the last batch of a target is of a history', () => {
  const all = lineage(0.25, ['a', 1, 8], ['b', 2, 11]);
  all.barrier(13);
  const { history, origin: own } = all;
  test.each([
    [7, 'older', 1, true],
    [8, 'a', 1, true],
    [8, 'a', 3, true],
    [8, 'b', 2, false],
    [9, 'a', 1, false],
    [11, 'b', 2, true],
    [12, 'b', 2, false],
    [13, 'b', 2, false],
    [13, own, 4, true],
    [99, own, 4, true],
    [13, undefined, 4, true],
    [13, '', 4, true],
    [13, '', 3, false],
    [13, undefined, 3, false],
    [12, undefined, 2, false],
  ])('checkpoint %d by %s, published by attempt %d: %p', (checkpoint, origin, epoch, expected) => {
    expect(isOf(history, { checkpoint, origin, epoch })).toBe(expected);
  });

  test('if its batches have no origin, because an earlier version made them', () => {
    const before = lineage(0.25, [undefined, 1, 8]).history;
    expect(isOf(before, { checkpoint: 8, epoch: 1, origin: null })).toBe(true);
    expect(isOf(before, { checkpoint: 8, epoch: 1 })).toBe(true);
    expect(isOf(before, { checkpoint: 9, epoch: 1 })).toBe(false);
  });
});

test('marks of another history are refused, whichever comes first', () => {
  const mark: OutboxMark = {
    ...{ jobId: 'job', sink: 'out', checkpoint: 5, sequence: 0, epoch: 3, origin: 'c' },
    history: [{ origin: 'c', epoch: 3, from: 5 }],
  };
  const last: OutboxLastMark = { epoch: 2, checkpoint: 5, sequence: 0, origin: 'lost' };
  expect(() => isNewBatch(mark, last)).toThrow(expect.objectContaining({ code: 'TargetAhead' }) as Error);
  expect(() => isNewBatch({ ...mark, checkpoint: 6 }, last)).toThrow('checkpoint 5, from attempt 2');
  expect(isNewBatch(mark, { ...last, checkpoint: 4 })).toBe(true);
});

test('a target that is asked has the batch if its mark is there with the records', () => {
  const mark: OutboxMark = { jobId: 'job', sink: 'out', checkpoint: 5, sequence: 1, epoch: 3 };
  const last = { epoch: 3, checkpoint: 5, sequence: 1 };
  expect(isPublished(mark, undefined)).toBe(false);
  expect(isPublished(mark, { ...last, sequence: 0 })).toBe(false);
  expect(isPublished(mark, last)).toBe(true);
  expect(isPublished(mark, { ...last, skipped: true })).toBe(false);
  // No attempt publishes a later batch before it has published this one, or written its dead letter.
  expect(isPublished(mark, { ...last, sequence: 2 })).toBe(true);
  expect(isPublished(mark, { ...last, sequence: 2, skipped: true })).toBe(true);
  expect(() => isPublished(mark, { ...last, epoch: 4 })).toThrow('has seen attempt 4');
  // A try that arrives after its batch was skipped.
  expect(() => isNewBatch(mark, { ...last, skipped: true })).toThrow('has refused batch 1');
});
