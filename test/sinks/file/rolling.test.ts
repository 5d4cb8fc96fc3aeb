import { Run, World } from '../harness.js';

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

  test('at every checkpoint, if asked', () => {
    const world = new World();
    const run = new Run(world, { sink: { roll: { everyCheckpoint: true } } });
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
