/** A job, readers and copies in one process share its memory: see src/job/memory/allowance.ts. */
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { createStores } from '../../src/entries/stores.js';
import { createOperations } from '../../src/fs/operations/index.js';
import { ReadBudget, readObject } from '../../src/store/reader/index.js';
import type { MemoryShare } from '../../src/flow/index.js';
import { allowances, processMemory } from '../../src/job/memory/index.js';
import { delayed } from '../../src/store/decorators/delay.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { BufferPool } from '../../src/store/multipart/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { SimulatedClock } from '../../src/testing/simulatedClock.js';
import { flat } from '../config/support.js';
import { seeded } from '../simulation/random.js';
import { effort } from '../support/effort.js';

const KiB = 1024;
const content = Buffer.alloc(800 * KiB);
for (let i = 0; i < content.length; i++) content[i] = (i * 31 + (i >> 8) * 7) & 255;

/** Takes all that it may, and gives back what is too much a little later. */
class Job {
  readonly #share: MemoryShare;
  readonly least = 100 * KiB;
  held = 0;

  constructor(clock: SimulatedClock, total: number, from: number, until: number) {
    const quiet = { waits: () => undefined, granted: () => undefined, exceeded: () => undefined };
    const account = processMemory(clock).open({ owner: "job 'x'", total, ...quiet });
    account.start();
    const down = (): void => {
      this.held = Math.min(this.held, this.#share.limit);
      this.#share.holds(this.held);
    };
    const changed = (): void => {
      if (this.held < this.#share.limit) this.held = this.#share.limit;
      else clock.after(7, down);
    };
    this.#share = account.share({ who: 'source x', least: this.least, most: total, changed });
    this.held = this.#share.limit;
    clock.after(until, () => {
      this.held = 0;
      account.close();
    });
    clock.after(from, down);
  }
}

interface Reading {
  readonly from: number;
  readonly fragment: number;
  /** Bytes. */
  readonly budget: number;
}

const readings = fc.array(
  fc.record({
    from: fc.nat(100),
    fragment: fc.integer({ min: 20 * KiB, max: 500 * KiB }),
    budget: fc.integer({ min: 64 * KiB, max: 4000 * KiB }),
  }),
  { minLength: 2, maxLength: 2 },
);

function reading(
  store: ObjectStore,
  clock: SimulatedClock,
  total: number,
  { from, fragment, budget }: Reading,
) {
  const limits = { buffer: 16 * KiB, fragment, window: 8 };
  const shared = new ReadBudget(
    budget,
    allowances(clock, () => total),
  );
  const done: Buffer[] = [];
  let over = false;
  clock.after(from, () => {
    for (let i = 0; i < 2; i++) {
      const chunks: Uint8Array[] = [];
      readObject({ store, key: 'o', budget: shared, limits }).subscribe({
        next: (chunk) => chunks.push(chunk),
        complete: () => {
          done.push(Buffer.concat(chunks));
          over = done.length === 2;
        },
      });
    }
  });
  return {
    held: () => shared.held,
    over: () => over,
    right: () => done.every((each) => each.equals(content)),
    floor: 64 * KiB,
  };
}

/** Copies four objects between two stores, and then one in parts. */
function copying(clock: SimulatedClock, total: number, from: number, random: () => number) {
  const slow = (store: ObjectStore): ObjectStore =>
    delayed(store, { clock, before: () => Math.floor(random() * 20) });
  const source = createMemoryStore();
  const target = createMemoryStore();
  for (let i = 0; i < 4; i++) source.put(`d/${i}`, content).subscribe();
  source.put('d/big', Buffer.alloc(11 << 20, 1)).subscribe();
  const [a, b] = [slow(source), slow(target)];
  const stores = createStores({ schemes: { memory: (name) => (name === 'a' ? a : b) }, clock });
  const config = flat({ 'execution.memory-budget': total });
  const operations = createOperations({ stores, clock, config });
  let over = false;
  let failed: unknown;
  clock.after(from, () => {
    operations
      .bulkCopy({ from: 'memory://a/d/', to: 'memory://b/d/' }, { partSize: '5MiB' })
      .subscribe({ error: (error: unknown) => (failed = error), complete: () => (over = true) });
  });
  const right = (): boolean => {
    const sizes: number[] = [];
    target.list({ prefix: '' }).subscribe(({ objects }) => sizes.push(...objects.map(({ size }) => size)));
    return sizes.length === 5 && sizes.reduce((sum, size) => sum + size) === 4 * content.length + (11 << 20);
  };
  return {
    held: () => [...pools].reduce((sum, { held }) => sum + held, 0),
    over: () => failed ?? over,
    right,
    floor: 5 << 20,
  };
}

let pools: Set<BufferPool>;
const { take } = BufferPool.prototype;
beforeEach(() => {
  jest.spyOn(BufferPool.prototype, 'take').mockImplementation(function (this: BufferPool, size) {
    pools.add(this);
    return take.call(this, size);
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

const filled = (): ObjectStore => {
  const store = createMemoryStore();
  store.put('o', content).subscribe();
  return store;
};

test('together they stay within it apart from floors, and all of them finish', () => {
  fc.assert(
    fc.property(
      fc.record({
        total: fc.integer({ min: 120 * KiB, max: 16_000 * KiB }),
        from: fc.nat(50),
        copyFrom: fc.nat(200),
        until: fc.integer({ min: 50, max: 1000 }),
        seed: fc.nat(),
      }),
      readings,
      ({ total, from, until, copyFrom, seed }, uses) => {
        const clock = new SimulatedClock();
        const random = seeded(seed);
        const store = delayed(filled(), { clock, before: () => Math.floor(random() * 20) });
        const job = new Job(clock, total, from, until);
        pools = new Set();
        const all = [
          ...uses.map((use) => reading(store, clock, total, use)),
          copying(clock, total, copyFrom, random),
        ];
        const most = total + all.reduce((sum, { floor }) => sum + floor, 0);
        const budget = processMemory(clock);
        while (clock.step()) {
          expect(all.reduce((sum, { held }) => sum + held(), job.held)).toBeLessThanOrEqual(most);
          expect(budget.charged + budget.fixed).toBeLessThanOrEqual(most);
        }
        expect(all.map(({ over, right }) => [over(), right()])).toEqual(all.map(() => [true, true]));
        expect([budget.charged, budget.fixed]).toEqual([0, 0]);
      },
    ),
    { numRuns: effort(7, 20) },
  );
});

test('a reader alone fetches as far ahead as without others', () => {
  const requests = (allow?: ReturnType<typeof allowances>): readonly unknown[] => {
    const clock = new SimulatedClock();
    const asked: unknown[] = [];
    const inner = delayed(filled(), { clock, before: () => 10 });
    const store: ObjectStore = Object.assign(Object.create(inner) as ObjectStore, {
      get: (...args: Parameters<ObjectStore['get']>) => {
        asked.push([clock.now(), args[1]?.range]);
        return inner.get(...args);
      },
    });
    const limits = { buffer: 16 * KiB, fragment: 100 * KiB, window: 8 };
    readObject({ store, key: 'o', budget: new ReadBudget('500KiB', allow), limits }).subscribe();
    while (clock.step());
    return asked;
  };
  const clock = new SimulatedClock();
  expect(requests(allowances(clock, () => 2000 * KiB))).toEqual(requests());
  expect(requests(allowances(clock, () => 300 * KiB))).not.toEqual(requests());
});

test('a read of what a job waits for finishes, although the job holds all memory and gives nothing back', () => {
  const clock = new SimulatedClock();
  const quiet = { waits: () => undefined, granted: () => undefined, exceeded: () => undefined };
  const account = processMemory(clock).open({ owner: "job 'x'", total: 1000, ...quiet });
  account.start();
  account.share({ who: 'source x', least: 1, most: 1000, changed: () => undefined });
  const budget = new ReadBudget(
    '1MiB',
    allowances(clock, () => 1000),
  );
  const limits = { buffer: 16 * KiB, fragment: 100 * KiB, window: 8 };
  let bytes = 0;
  readObject({ store: filled(), key: 'o', budget, limits }).subscribe((chunk) => (bytes += chunk.length));
  expect(bytes).toBe(content.length);
});

test('a bulk copy without memory for any object ends at once, with the reason', () => {
  const clock = new SimulatedClock();
  const quiet = { waits: () => undefined, granted: () => undefined, exceeded: () => undefined };
  const account = processMemory(clock).open({ owner: "job 'x'", total: 64 << 20, ...quiet });
  account.share({ who: 'source x', least: 32 << 20, most: 32 << 20, changed: () => undefined });
  pools = new Set();
  const copy = copying(clock, 16 << 20, 0, () => 0);
  while (clock.step());
  expect(copy.over()).toMatchObject({
    code: 'MemoryTooSmall',
    message: expect.stringMatching(/16\.0 MiB together .*32\.0 MiB.* leaves nothing for a copy\./) as unknown,
  });
  expect(processMemory(clock).charged).toBe(32 << 20);
});
