import type { RollCandidate } from '../../../src/sinks/file/options.js';
import { Run, World, type Line } from '../harness.js';

const MiB = 2 ** 20;

describe('files are rolled', () => {
  test('by size', () => {
    const world = new World();
    const run = new Run(world, { sink: { partSize: 5 * MiB, roll: { size: 6 * MiB } } });
    for (let i = 0; i < 13 * 16; i++) run.line('p', 'x'.repeat(64 * 1024 - 1));
    run.barrier();
    expect(world.keys().map((key) => world.content(key).length)).toEqual([6 * MiB, 6 * MiB]);
    expect(run.acked[0]!.frozen.open).toHaveLength(1);
  });

  test('by age', () => {
    const world = new World();
    const run = new Run(world, { sink: { roll: { age: '60s', inactivity: '1h' } } });
    run.line('a', '1');
    world.clock.advance(30_000);
    run.line('b', '1');
    run.line('a', '2');
    world.clock.advance(29_999);
    run.barrier();
    expect(world.published()).toEqual({});
    world.clock.advance(1);
    run.barrier();
    expect(world.published()).toEqual({ a: '1\n2\n' });
    run.line('a', '3');
    world.clock.advance(60_000);
    run.barrier();
    expect(world.published()).toEqual({ a: '1\n2\n3\n', b: '1\n' });
  });

  test('by inactivity, at most a sixth of it late', () => {
    const world = new World();
    const run = new Run(world, { sink: { roll: { age: '1h', inactivity: '60s' } } });
    run.line('a', '1');
    for (let s = 0; s < 7; s++) {
      run.line('b', '1');
      world.clock.advance(10_000);
    }
    run.barrier();
    expect(Object.keys(world.published())).toEqual(['a']);
  });

  test('by number: the least recently used go first', () => {
    const world = new World();
    const run = new Run(world, { sink: { maxOpenFiles: 3 } });
    for (const p of ['a', 'b', 'c', 'a', 'd']) run.line(p, p);
    run.barrier();
    expect(world.published()).toEqual({ b: 'b\n' });
  });

  test('by a predicate, which sees the file and the record that would be added', () => {
    const world = new World();
    const seen: unknown[] = [];
    const when = (file: RollCandidate, record: Line): boolean => {
      seen.push({ ...file, record: record.text });
      return record.text === 'next' || file.records === 3;
    };
    const run = new Run(world, { sink: { roll: { when } } });
    run.line('a', '1');
    world.clock.advance(1000);
    run.line('b', '1');
    run.line('a', '12');
    world.clock.setTime(500);
    run.line('a', 'next');
    for (const text of ['3', '4', '5']) run.line('a', text);
    run.barrier();
    expect(seen.slice(0, 2)).toEqual([
      {
        ...{ partition: 'a', bytes: 2, records: 1, record: '12' },
        ...{ openedAt: 1_000_000, lastWriteAt: 1_000_000, now: 1_001_000 },
      },
      {
        ...{ partition: 'a', bytes: 5, records: 2, record: 'next' },
        ...{ openedAt: 1_000_000, lastWriteAt: 1_001_000, now: 500 },
      },
    ]);
    expect(world.keys().map((key) => world.content(key))).toEqual(['1\n12\n', 'next\n3\n4\n']);
    run.end();
    for (let i = 0; i < 3; i++) run.settle();
    expect(world.published()).toEqual({ a: '1\n12\nnext\n3\n4\n5\n', b: '1\n' });
  });

  test('a predicate that throws, or returns a promise, ends the flow', () => {
    const failing = (when: unknown): unknown => {
      const run = new Run(new World(), { sink: { roll: { when: when as () => boolean } } });
      run.line('a', '1');
      run.line('a', '2');
      return run.error;
    };
    const thrown = new Error('mine');
    expect(
      failing(() => {
        throw thrown;
      }),
    ).toBe(thrown);
    expect(failing(() => Promise.resolve(true))).toMatchObject({ code: 'PromiseInFlow' });
  });

  test.each([{ checkpoints: 1 }, { everyCheckpoint: true }])('at every checkpoint, if asked: %j', (roll) => {
    const world = new World();
    const run = new Run(world, { sink: { roll } });
    run.line('a', '1');
    run.barrier();
    run.line('a', '2');
    expect(world.published()).toEqual({ a: '1\n' });
    run.barrier();
    expect(world.published()).toEqual({ a: '1\n2\n' });
  });
});

describe('names', () => {
  test('carry prefix, uid, suffix and extension', () => {
    const world = new World();
    const run = new Run(world, { sink: { naming: { prefix: 'clicks', suffix: '-v2' } } });
    run.line('day=1/hour=2', 'x');
    run.line('', 'y');
    run.end();
    expect(world.keys()).toEqual([
      `out/clicks-part-${world.jobId}-out-0000000001-000000001-v2.txt`,
      `out/day=1/hour=2/clicks-part-${world.jobId}-out-0000000001-000000000-v2.txt`,
    ]);
  });

  test.each(['a/../b', '.', 'a\0', 'a\ud800', '\udc00/b'])('%j is not a partition', (partition) => {
    const run = new Run(new World());
    run.line(partition, 'x');
    expect(run.error).toMatchObject({ code: 'InvalidPartition' });
  });

  test('a partition that results in too long a key is an error', () => {
    const run = new Run(new World());
    run.line('é'.repeat(500), 'x');
    expect(run.error).toMatchObject({ code: 'PartitionTooLong' });
  });
});

test('a file without bytes is not published', () => {
  const world = new World();
  const run = new Run(world, { sink: { format: { extension: '.txt', encode: () => '' } } });
  run.line('a', 'ignored');
  run.barrier();
  run.end();
  expect(run.error).toBeUndefined();
  expect(run.acked.map(({ frozen }) => [...frozen.open!, ...frozen.closed!])).toEqual([[], []]);
  expect(world.keys()).toEqual([]);
});
