import { costOfOne } from './oneOfMany.js';

test('an entry of a million costs an entry', () => {
  const { bytes, cells } = costOfOne(1_000_000);
  expect(bytes).toBeLessThan(600);
  expect(cells).toBe(1);
});
