import { from } from 'rxjs';
import { systemClock } from '../../src/flow/index.js';
import { fromAsyncIterable } from '../../src/sources/fromAsyncIterable.js';
import { fromObservable } from '../../src/sources/fromObservable.js';
import { fromReplayable } from '../../src/sources/fromReplayable.js';
import type { Source } from '../../src/sources/source.js';
import { attemptOver, memoryWith, outputTo } from './harness.js';

async function* numbers(): AsyncGenerator<number> {
  yield* await Promise.resolve([0, 1, 2, 3]);
}

test.each<[string, Source<number>]>([
  ['fromReplayable', fromReplayable<number, number>({ open: () => [{ records: [0, 1, 2, 3], next: 1 }] })],
  ['fromAsyncIterable', fromAsyncIterable(numbers)],
  ['fromObservable', fromObservable(from([0, 1, 2, 3]))],
])('a poll of %s whose turn is over passes one record on', async (_, source) => {
  const records: number[] = [];
  const out = { ...outputTo((n: number) => records.push(n)), turnOver: true };
  let fail!: (error: unknown) => void;
  const failed = new Promise<never>((__, reject) => (fail = reject));
  const reader = source.open({
    id: 'in',
    attempt: attemptOver(memoryWith({}), systemClock),
    position: undefined,
    ready: () => undefined,
    fail,
  });
  for (let polls = 1; polls <= 3; polls++) {
    // What arrives asynchronously.
    while (reader.poll(out) === 'wait')
      await Promise.race([failed, new Promise((next) => setImmediate(next))]);
    expect(records).toHaveLength(polls);
  }
  reader.close();
});
