import { Run, World } from './harness.js';

const small = { minimumPartSize: 64 };
const sink = { partSize: 64, roll: { size: 300 }, budget: 2048 };

function feed(run: Run, from: number, to: number, partitions = 1): void {
  for (let i = from; i < to; i++) run.line(`p${i % partitions}`, `line ${String(i).padStart(6, '0')}`);
}

function expected(count: number, partitions = 1): Record<string, string> {
  const out: Record<string, string> = {};
  for (let i = 0; i < count; i++)
    out[`p${i % partitions}`] = `${out[`p${i % partitions}`] ?? ''}line ${String(i).padStart(6, '0')}\n`;
  return out;
}

function finish(run: Run): void {
  run.end();
  for (let i = 0; i < 4 && run.pending.length > 0; i++) run.settle();
  expect(run.error).toBeUndefined();
  expect(run.pending).toEqual([]);
}

describe('fileSink', () => {
  test('publishes everything at the end, and nothing before a checkpoint is durable', () => {
    const world = new World(small);
    const run = new Run(world, { sink });
    feed(run, 0, 100, 3);
    expect(world.keys()).toEqual([]);
    finish(run);
    expect(world.published()).toEqual(expected(100, 3));
    expect(world.uploads()).toEqual([]);
    expect(world.keys('cp')).toEqual([]);
  });

  test('a restart seals open files and goes on with new ones', () => {
    const world = new World(small);
    const first = new Run(world, { sink });
    feed(first, 0, 10, 2);
    first.barrier();
    feed(first, 10, 40, 2);
    const second = new Run(world, { sink });
    second.settle();
    expect(second.error).toBeUndefined();
    expect(world.published()).toEqual(expected(10, 2));
    feed(second, 10, 100, 2);
    finish(second);
    expect(world.published()).toEqual(expected(100, 2));
    expect(world.uploads()).toEqual([]);
  });
});
