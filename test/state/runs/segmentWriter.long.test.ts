import { valueState, type ValueState } from '../../../src/state/index.js';
import { kept } from '../../../src/state/runs/segmentWriter.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Bench } from '../harness.js';

test('more entries than are kept in memory are all written, in order', () => {
  const store = createMemoryStore();
  const bench = new Bench(store, { n: valueState(-1) });
  const count = kept + 20_000;
  const live = bench.backend.handles['n'] as ValueState<number>;
  for (let i = 0; i < count; i++) {
    bench.backend.at(i);
    live.set(2 * i);
  }
  bench.backend.leave();
  const { snapshot } = bench.checkpoint();
  const again = new Bench(store, { n: valueState(0) }).restore(snapshot);
  const read = again.backend.handles['n'] as ValueState<number>;
  let wrong = 0;
  for (let i = 0; i < count; i++) {
    again.backend.at(i);
    if (read.value !== 2 * i) wrong++;
  }
  expect(wrong).toBe(0);
  again.backend.at(count);
  expect(read.value).toBe(0);
});
