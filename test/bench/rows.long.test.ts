import { bench, patience, type Line } from './command.js';

describe('every row runs at small sizes, and its variants agree about the result', () => {
  test.each([
    'flow',
    'read',
    'small',
    'bounded',
    'discovery',
    'read-open',
    'parallelism',
    'splits',
    'parse',
    'write',
    'state',
    'map',
    'list',
    'timers',
    'tax',
    'job',
    'checkpoint',
    'changes',
    'slices',
    'point',
    'gzip',
    'csv',
    'parts',
    'many',
    'parquet',
    'postgres',
    'cpu',
  ])(
    '%s',
    async (name) => {
      const { code, stdout, stderr } = await bench(name, '--quick', '--json', '--rounds', '1');
      expect({ code, errors: code === 0 ? '' : stderr }).toEqual({ code: 0, errors: '' });
      const { goals } = JSON.parse(stdout) as Line;
      for (const { value } of goals) expect(Number.isFinite(value)).toBe(true);
    },
    patience,
  );
});
