import type { comparison as Comparing } from '../../bench/harness/comparison.js';
import { summarize } from '../../bench/harness/stats.js';
import { judge } from '../../bench/harness/row.js';
import { combineCrc32 } from '../../bench/synthetic/crc.js';
import { slice } from '../../bench/synthetic/content.js';
import { SampledDigest } from '../../bench/synthetic/digest.js';
import { crc32 } from 'node:zlib';
import { effort } from '../support/effort.js';
import { bench, patience, type Line } from './command.js';

describe('the harness', () => {
  test.each(['selftest', 'selftest-fresh'].slice(0, effort(1, 2)))(
    '%s prints one JSON line with its metrics and goals',
    async (name) => {
      const { code, stdout } = await bench(name, '--json', '--rounds', '3');
      const lines = stdout.trim().split('\n');
      expect(lines).toHaveLength(1);
      const line = JSON.parse(lines[0]!) as Line;
      expect(line.name).toBe(name);
      for (const metric of [
        'ours.numbersPerSecond',
        'ours.seconds',
        'ours.secondsMad',
        'ours.cpuSeconds',
        'ours.peakMB',
        'ours.additions',
        'theirs.seconds',
        'vs.theirs',
      ])
        expect([metric, (line.metrics[metric] ?? 0) >= 0, metric in line.metrics]).toEqual([
          metric,
          true,
          true,
        ]);
      expect(line.goals.map(({ met }) => met)).toEqual([true, false]);
      expect(code).toBe(0);
    },
    patience,
  );

  test(
    'a missed goal is an error only under --strict',
    async () => {
      expect((await bench('selftest', '--quick', '--strict')).code).toBe(1);
    },
    patience,
  );

  test(
    'variants that disagree about the result are an error',
    async () => {
      const { code, stdout, stderr } = await bench('selftest-wrong', '--json');
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toContain('theirs gives 499999500001, but ours 499999500000');
    },
    patience,
  );

  const orders = [
    ['fresh', 3],
    ['lasting', 1],
  ] as const;
  test.each(orders.slice(0, effort(1, 2)))(
    '%s processes: each variant runs first equally often',
    async (processes, rounds) => {
      const built = new URL('../../build/bench/', import.meta.url);
      const { comparison } = (await import(new URL('harness/comparison.js', built).href)) as {
        comparison: typeof Comparing;
      };
      const program = { module: new URL('variants/adding.js', built).href, start: 'adding' };
      const measured: string[] = [];
      await comparison({
        name: 'order',
        title: '',
        unit: 'numbers',
        processes,
        rounds,
        warmups: 0,
        prepare: () =>
          Promise.resolve({
            variants: ['a', 'b', 'c'].map((name) => ({ name, program, params: { count: 10 } })),
          }),
        goals: [],
      }).run({ quick: false, progress: (text) => measured.push(text) });
      expect(measured.map((text) => text.at(-1)).join('')).toBe('abcbcacab');
    },
    patience,
  );

  test(
    'an unknown row is rejected with a list of the known ones',
    async () => {
      const { code, stderr } = await bench('nonsense');
      expect(code).toBe(2);
      expect(stderr).toContain('flow');
    },
    patience,
  );
});

describe('statistics', () => {
  test('median, extremes and deviation of odd and even numbers of rounds', () => {
    expect(summarize([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5, mad: 2 });
    expect(summarize([1, 2, 3, 10])).toEqual({ median: 2.5, min: 1, max: 10, mad: 1 });
  });

  test('goals are met from either side, equality included', () => {
    const metrics = { speed: 2, size: 2 };
    expect(
      judge(
        [
          { metric: 'speed', goal: 2, is: 'at least' },
          { metric: 'size', goal: 1.9, is: 'at most' },
        ],
        metrics,
      ).map(({ met }) => met),
    ).toEqual([true, false]);
    expect(() => judge([{ metric: 'none', goal: 1, is: 'at most' }], metrics)).toThrow('no metric none');
  });
});

describe('synthetic content', () => {
  test('checksums of parts combine to the checksum of the whole', () => {
    const first = slice(12_345, 70_001);
    for (const length of [0, 1, 77, 65_536, 1_000_003]) {
      const second = slice(999, length);
      expect(combineCrc32(crc32(first), crc32(second), length)).toBe(crc32(Buffer.concat([first, second])));
    }
  });

  test('a sampled digest is independent of chunks and detects misplaced bytes', () => {
    const digestOf = (...chunks: Uint8Array[]): string => {
      const digest = new SampledDigest();
      for (const chunk of chunks) digest.update(chunk);
      return digest.toString();
    };
    const [a, b] = [slice(0, 100_000), slice(100_000, 100_000)];
    const whole = digestOf(slice(0, 200_000));
    expect(digestOf(a, b)).toBe(whole);
    expect(digestOf(a.subarray(0, 1), a.subarray(1, 65_537), a.subarray(65_537), b)).toBe(whole);
    expect(digestOf(b, a)).not.toBe(whole);
    expect(digestOf(a, a)).not.toBe(whole);
  });

  test('no two fragments are equal', () => {
    expect(slice(0, 1 << 20).equals(slice(8 << 20, 1 << 20))).toBe(false);
  });
});
