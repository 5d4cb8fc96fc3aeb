/** A job, readers and copies in one process share its memory: see src/job/memory/allowance.ts. */
import fc from 'fast-check';
import { ReadBudget, readObject } from '../../src/fs/reader/index.js';
import type { MemoryShare } from '../../src/flow/index.js';
import { allowances, processMemory } from '../../src/job/memory/index.js';
import { delayed } from '../../src/store/decorators/delay.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { SimulatedClock } from '../../src/testing/simulatedClock.js';
import { seeded } from '../simulation/random.js';

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

const filled = (): ObjectStore => {
  const store = createMemoryStore();
  store.put('o', content).subscribe();
  return store;
};

test('together they stay within it apart from floors, and all of them finish', () => {
  fc.assert(
    fc.property(
      fc.record({
        total: fc.integer({ min: 120 * KiB, max: 2000 * KiB }),
        from: fc.nat(50),
        until: fc.integer({ min: 50, max: 1000 }),
        seed: fc.nat(),
      }),
      readings,
      ({ total, from, until, seed }, uses) => {
        const clock = new SimulatedClock();
        const random = seeded(seed);
        const store = delayed(filled(), { clock, before: () => Math.floor(random() * 20) });
        const job = new Job(clock, total, from, until);
        const all = uses.map((use) => reading(store, clock, total, use));
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
    { numRuns: 50 },
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
