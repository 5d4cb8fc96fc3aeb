import { jest } from '@jest/globals';
import { BufferPool } from '../../../src/store/multipart/index.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { Run, World } from '../harness.js';

const KiB = 1024;

/** A source that respects credits: it never has more than `ahead` bytes outstanding. */
function drive(
  world: World,
  run: Run,
  records: number,
  partitions: number,
  ahead: number,
  every = Infinity,
): void {
  let sent = run.released.at(-1)?.bytes ?? 0;
  for (let i = 0; i < records; i++) {
    const text = `${i} ${'.'.repeat(100 + (i % 50))}`;
    run.line(`p${(i * 7919) % partitions}`, text);
    sent += text.length + 1;
    run.credit(sent);
    if (i % every === every - 1) run.barrier();
    for (let waited = 0; sent - (run.released.at(-1)?.bytes ?? 0) > ahead; waited++) {
      if (run.error !== undefined || waited > 1000)
        throw new Error(`stuck at record ${i}: ${String(run.error)}`);
      world.clock.advance(10);
    }
  }
}

function settle(world: World, run: Run): void {
  for (let i = 0; i < 50_000 && world.manifest.pending.length + world.manifest.open.length > 0; i++) {
    world.clock.advance(1000);
    run.settle();
  }
  expect(run.error).toBeUndefined();
  expect(world.manifest.pending).toEqual([]);
}

function slow(world: World): (store: ObjectStore) => ObjectStore {
  return (store) => faulty(store, { random: () => 0.5, delayed: 1, delayUpTo: 100, clock: world.clock });
}

test('a pool reuses returned buffers, never lost ones', () => {
  const MiB = KiB * KiB;
  const pool = new BufferPool(8 * MiB);
  const [given, lost] = [pool.take(4 * MiB), pool.take(4 * MiB)];
  pool.lose(lost);
  expect(pool.held).toBe(4 * MiB);
  pool.give(given);
  expect(pool.held).toBe(0);
  expect(pool.take(4 * MiB)).toBe(given);
  expect(pool.take(4 * MiB)).not.toBe(lost);
  expect(pool.held).toBe(8 * MiB);
});

describe('memory', () => {
  let pools: BufferPool[] = [];
  beforeEach(() => {
    const take = BufferPool.prototype.take;
    pools = [];
    jest.spyOn(BufferPool.prototype, 'take').mockImplementation(function (this: BufferPool, size: number) {
      if (!pools.includes(this)) pools.push(this);
      return take.call(this, size);
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test.each([
    { partitions: 1, every: Infinity },
    { partitions: 3, every: 500 },
    { partitions: 300, every: Infinity },
    { partitions: 300, every: 2000 },
    { partitions: 2000, every: Infinity },
    { partitions: 2000, every: 1000 },
  ])(
    '$partitions partitions, a barrier every $every: within the budget, and never stuck',
    ({ partitions, every }) => {
      const world = new World({ minimumPartSize: 64 * KiB });
      const budget = 512 * KiB;
      const run = new Run(world, {
        wrap: slow(world),
        sink: { partSize: 64 * KiB, budget, roll: { size: 200 * KiB, age: '1h', inactivity: '1h' } },
      });
      drive(world, run, 15_000, partitions, 32 * KiB, every);
      expect(pools).toHaveLength(1);
      expect(pools[0]!.peak).toBeLessThanOrEqual(budget);
      run.end();
      world.clock.advance(1000_000);
      settle(world, run);
      expect(pools[0]!.peak).toBeLessThanOrEqual(budget);
      expect(pools[0]!.held).toBe(0);
      const bytes = Object.values(world.published()).reduce((sum, text) => sum + text.length, 0);
      expect(bytes).toBe(
        Array.from({ length: 15_000 }, (_, i) => `${i} `.length + 101 + (i % 50)).reduce((a, b) => a + b),
      );
      expect(world.keys('cp')).toEqual([]);
    },
  );
});

test('tails just below the spill threshold do not block a source with a small budget', () => {
  // Journaled bytes stay in memory while there is room: half of the budget is tails, half is new.
  for (let first = 330; first <= 450; first += 15) {
    const world = new World({ minimumPartSize: 64 * KiB });
    const run = new Run(world, {
      sink: {
        partSize: 64 * KiB,
        budget: 512 * KiB,
        roll: { size: 200 * KiB, age: '1h', inactivity: '1h' },
      },
    });
    drive(world, run, 2 * first - 1, 40, 0, first);
    drive(world, run, 1500, 40, 0);
  }
});

describe('requests', () => {
  test('a checkpoint is one journal PUT of the new bytes, with 5,000 open files', () => {
    const world = new World();
    let counts!: ReturnType<typeof counting>;
    const run = new Run(world, {
      wrap: (store) => (counts = counting(store)).store,
      sink: { roll: { age: '1h' } },
    });
    const round = (files: number): { requests: object; bytesUp: number; text: number } => {
      counts.reset();
      let text = 0;
      for (let i = 0; i < files; i++) {
        const line = `${i} ${'x'.repeat(40)}`;
        run.line(`p${i}`, line);
        text += line.length + 1;
      }
      run.barrier();
      return { ...counts.counts(), text };
    };
    for (const files of [5000, 5000, 2000, 5000]) {
      const { requests, bytesUp, text } = round(files);
      expect(requests).toEqual({ put: 1 });
      expect(bytesUp).toBe(text);
    }
    // Few new bytes need no request: they are in the manifest.
    const { requests } = round(10);
    expect(requests).toEqual({});
    expect(run.acked).toHaveLength(5);
    expect(run.acked[4]!.frozen.open).toHaveLength(5000);
  });

  test('a tail that spans many checkpoints is rewritten into one journal, and the others are garbage', () => {
    const world = new World();
    const run = new Run(world, { sink: { roll: { age: '1h', inactivity: '1h' } } });
    for (let i = 0; i < 40; i++) {
      run.line('p', 'y'.repeat(100_000));
      run.barrier();
      expect(run.acked.at(-1)!.frozen.open![0]!.objects!.length).toBeLessThanOrEqual(16);
    }
    expect(world.keys('cp').length).toBeLessThanOrEqual(16);
    run.end();
    run.settle();
    expect(world.published()).toEqual({ p: `${'y'.repeat(100_000)}\n`.repeat(40) });
    expect(world.keys('cp')).toEqual([]);
  });

  test('slightly too little memory means little to read back', () => {
    const world = new World({ minimumPartSize: 64 * KiB });
    let counts!: ReturnType<typeof counting>;
    const run = new Run(world, {
      wrap: (store) => (counts = counting(store)).store,
      sink: { partSize: 64 * KiB, budget: 512 * KiB, roll: { size: '8MiB', age: '1h', inactivity: '1h' } },
    });
    // Tails of five parts at most, where four may stay in memory.
    drive(world, run, 15_000, 5, Infinity, 500);
    const { bytesUp, bytesDown } = counts.counts();
    expect(bytesDown).toBeGreaterThan(0);
    expect(bytesDown).toBeLessThan(bytesUp / 8);
  });
});
