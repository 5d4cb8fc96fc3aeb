import { circles, importGraph } from './graph.js';

test('no module of src imports itself, directly or indirectly', () => {
  const graph = importGraph('src');
  expect(graph.size).toBeGreaterThan(300);
  expect(graph.get('src/index.ts')).toContain('src/job/job.ts');
  expect(circles(graph)).toEqual([]);
});

test('cycles are found', () => {
  const graph = new Map([
    ['a', ['b', 'd']],
    ['b', ['c']],
    ['c', ['a', 'd']],
    ['d', ['e']],
    ['e', []],
    ['f', ['f']],
    ['g', ['e', 'h']],
    ['h', ['g', 'a']],
  ]);
  expect(circles(graph)).toEqual([['a', 'b', 'c'], ['f'], ['g', 'h']]);
});
