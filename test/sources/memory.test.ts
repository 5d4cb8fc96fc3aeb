/** A source within its shares of the memory of the process. */
import { NEVER, VirtualTimeScheduler } from 'rxjs';
import { clockOf, isSignal, memory, type Memory, type MemoryUse } from '../../src/flow/index.js';
import { text } from '../../src/formats/text.js';
import { FilesReader } from '../../src/sources/filesReader.js';
import { filesSettings } from '../../src/sources/files.js';
import { SourcePump } from '../../src/sources/pump.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { stores } from '../../src/store/services.js';
import { TestAttempt } from '../../src/testing/testAttempt.js';
import { memoryWith, slicedFiles, storesOf } from './harness.js';

/** Shares that the test sets. */
class Shares implements Memory {
  readonly uses: MemoryUse[] = [];
  readonly reported: number[] = [];
  left = 0;

  constructor(private limitOf: (use: MemoryUse) => number) {}

  share(use: MemoryUse): ReturnType<Memory['share']> {
    this.uses.push(use);
    const limit = (): number => this.limitOf(use);
    return {
      get limit() {
        return limit();
      },
      holds: (bytes) => this.reported.push(bytes),
      leave: () => this.left++,
    };
  }

  charge(): ReturnType<Memory['charge']> {
    return { set: () => undefined, leave: () => undefined };
  }

  set(limitOf: (use: MemoryUse) => number): void {
    this.limitOf = limitOf;
    for (const { changed } of this.uses) changed();
  }
}

const least = ({ least }: MemoryUse): number => least;
const most = ({ most }: MemoryUse): number => most;

test('it reads ahead as far as its share allows, and further when that grows', () => {
  let requested = 0;
  const store = decorate(memoryWith({ a: 'x'.repeat(1000) }), (call, run) => {
    if (call.method !== 'get') return run;
    requested++;
    return NEVER;
  });
  const shares = new Shares(least);
  const attempt = new TestAttempt({
    clock: clockOf(new VirtualTimeScheduler()),
    services: new Map<never, unknown>([
      [stores as never, storesOf(store)],
      [memory as never, shares],
    ]),
  });
  const settings = filesSettings('memory://lake/', { format: text(), prefetch: { window: 4, fragment: 10 } });
  const reader = new FilesReader(settings, {
    id: 'in',
    attempt,
    position: undefined,
    ready: () => undefined,
    fail: (error) => {
      throw error;
    },
  });
  expect(shares.uses).toEqual([
    expect.objectContaining({ who: "source 'in' (read-ahead)", least: 10, most: 50 }),
  ]);
  expect(requested).toBe(1);
  shares.set(most);
  expect(requested).toBe(4);
  reader.close();
  expect(shares.left).toBe(1);
});

test('it has as many records in flight as its share allows, and more when that grows', () => {
  const store = memoryWith({ a: Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join('') });
  const scheduler = new VirtualTimeScheduler();
  const inFlight = (bytes: number) => (use: MemoryUse) => (use.who.includes('in flight') ? bytes : use.most);
  const shares = new Shares(inFlight(20));
  const attempt = new TestAttempt({
    clock: clockOf(scheduler),
    services: new Map<never, unknown>([
      [stores as never, storesOf(store)],
      [memory as never, shares],
    ]),
  });
  const records: unknown[] = [];
  const pump = new SourcePump<string>({
    id: 'in',
    source: slicedFiles('memory://lake/', { format: text() }, 1),
    attempt,
    budget: 1000,
    records: { next: (value) => isSignal(value) || records.push(value) },
    letters: { next: () => undefined },
    ended: () => undefined,
    failed: (error) => {
      throw error;
    },
  });
  pump.open();
  pump.start();
  scheduler.flush();
  // Seven bytes each.
  expect(records).toHaveLength(3);
  shares.set(inFlight(70));
  scheduler.flush();
  expect(records).toHaveLength(10);
  pump.released(pump.sent);
  expect(shares.reported.at(-1)).toBe(0);
  scheduler.flush();
  expect(records.length).toBeGreaterThan(15);
  pump.close();
  expect(shares.left).toBe(2);
});
