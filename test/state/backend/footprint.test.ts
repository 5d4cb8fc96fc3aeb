import { valueState } from '../../../src/state/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Footprint } from '../../../src/state/backend/footprint.js';
import { Bench } from '../harness.js';

test('it is the number of cells times what they took on average, and what a cell takes in any case', () => {
  const footprint = new Footprint();
  expect(footprint.of(10)).toBe(1640);
  footprint.saw(900, 10);
  expect(footprint.of(10)).toBe(1900);
  expect(footprint.of(0)).toBe(0);
});

test('it follows values that grow', () => {
  const footprint = new Footprint();
  for (let n = 0; n < 1000; n++) {
    footprint.saw(10 * 1024, 1024);
    footprint.of(1024);
  }
  for (let n = 0; n < 20; n++) {
    footprint.saw(1000 * 1024, 1024);
    footprint.of(1024);
  }
  expect(footprint.of(1024)).toBeGreaterThan(1024 * 1000);
});

describe('a backend', () => {
  const states = { text: valueState('') };
  const text = 'abcdefghij'.repeat(100);

  test('knows about how large its state is: from what was written, what is dirty included, and from what was restored', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, states);
    expect(bench.backend.bytes).toBe(0);
    for (let n = 0; n < 1000; n++) bench.with<string>(n, 'text', (state) => state.set(text));
    const { snapshot } = bench.checkpoint();
    const one = bench.backend.bytes;
    // The segment is compressed, memory is not.
    expect(one).toBeGreaterThan(1000 * 1100);
    expect(one).toBeLessThan(1000 * 1200);
    expect(bench.backend.segments[0]?.bytes).toBeLessThan(1000 * 1000);
    for (let n = 1000; n < 2000; n++) bench.with<string>(n, 'text', (state) => state.set(text));
    expect(bench.backend.bytes).toBe(2 * one);

    const restored = new Bench(store, states).restore(snapshot);
    expect(restored.backend.bytes).toBe(one);
    for (let n = 0; n < 1000; n++) restored.with<string>(n, 'text', (state) => state.clear());
    restored.checkpoint();
    expect(restored.backend.bytes).toBe(0);
  });
});
