import { recordBytes } from '../../src/sources/recordBytes.js';

const numbers = (length: number): number[] => Array.from({ length }, (_, n) => n);
const fields = (count: number, value: unknown): object =>
  Object.fromEntries(numbers(count).map((n) => [`f${n}`, value]));

/** Around the size of its JSON, or of what it is made of. */
const about = (expected: number, record: unknown, factor = 4): void => {
  const bytes = recordBytes(record);
  expect(bytes).toBeGreaterThan(expected / factor);
  expect(bytes).toBeLessThan(expected * factor);
};

test('strings and bytes count whole, whatever is before them', () => {
  expect(recordBytes('abc')).toBe(3);
  expect(recordBytes(Buffer.alloc(7))).toBe(7);
  about(3e6, { ids: numbers(254), s0: 'x'.repeat(1e6), s1: 'x'.repeat(1e6), s2: 'x'.repeat(1e6) }, 1.1);
  about(1e6, { ...fields(500, { a: 1 }), body: 'x'.repeat(1e6) }, 1.1);
});

test('nested values count', () => {
  about(16_000, { id: 1, points: numbers(2000) });
  about(3000, { points: numbers(300), ...fields(20, 1) });
  about(
    300_000,
    numbers(100).map(() => ({ points: numbers(300), ...fields(20, 1) })),
  );
  about(40_000, { map: new Map(numbers(2000).map((n) => [n, n])), set: new Set(numbers(1000)) });
});

test('references back do not', () => {
  const order: { lines: { order: unknown; text: string }[] } = { lines: [] };
  for (let n = 0; n < 1000; n++) order.lines.push({ order, text: 'x'.repeat(20) });
  about(1000 * 92, order, 1.5);
  const loop: unknown[] = [];
  loop.push(loop, loop);
  expect(recordBytes(loop)).toBe(64 + 16);
});

test('large collections are not copied', () => {
  const map = new Map(numbers(200_000).map((n) => [n, n]));
  let read = 0;
  map.values = function* () {
    for (const value of Map.prototype.values.call(map)) {
      read++;
      yield value as number;
    }
    return undefined;
  };
  about(200_000 * 16, map);
  expect(read).toBeLessThan(100);
});
