import { defer, from, tap, type Observable } from 'rxjs';
import { writeObject } from '../../../src/fs/writer/index.js';
import type { Allow, AllowanceUse } from '../../../src/flow/memory.js';
import { delayed } from '../../../src/store/decorators/delay.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';

const MiB = 2 ** 20;
const partSize = 5 * MiB;

/** An allowance whose limit the test sets. */
class TestAllowance {
  use: AllowanceUse | undefined;
  limit = Infinity;
  open = 0;
  opened = 0;
  held = 0;
  most = 0;

  readonly allow: Allow = (use) => {
    this.use = use;
    this.open++;
    this.opened++;
    const bounded = (): number => Math.min(use.most, Math.max(use.floor, this.limit));
    return {
      get limit() {
        return bounded();
      },
      holds: (bytes) => {
        this.held = bytes;
        this.most = Math.max(this.most, bytes);
      },
      leave: () => {
        this.open--;
        this.held = 0;
      },
    };
  };

  set(limit: number): void {
    this.limit = limit;
    this.use?.changed();
  }
}

/** Writes `parts` parts. An upload of a part takes 100 ms. */
function writing(
  parts: number,
  memory: TestAllowance,
  below: (store: ObjectStore) => ObjectStore = (all) => all,
) {
  const clock = new SimulatedClock();
  const store = createMemoryStore();
  const requests = { now: 0, most: 0 };
  const slow = delayed(below(store), {
    clock,
    before: ({ method }) => (method === 'uploadPart' ? 100 : 1),
  });
  const counted = decorate(slow, (call, run) =>
    call.method !== 'uploadPart'
      ? run
      : defer(() => {
          requests.most = Math.max(requests.most, ++requests.now);
          return run.pipe(tap(() => requests.now--));
        }),
  );
  const done: unknown[] = [];
  const chunks = Array.from({ length: parts * 5 }, (_, i) => Buffer.alloc(MiB, i));
  const cleanUps: Observable<never>[] = [];
  const running = writeObject(
    { store: counted, key: 'o', uri: 'memory://t/o', clock, allow: memory.allow },
    from(chunks),
    { partSize, inFlight: 4 },
    (cleanUp) => cleanUps.push(cleanUp),
  ).subscribe({ next: () => done.push('done'), error: (error: unknown) => done.push(error) });
  return { clock, store, done, running, requests, cleanUps };
}

test('a writer alone has as many uploads at once as it may, and its memory ends with it', () => {
  const memory = new TestAllowance();
  const { clock, done, requests } = writing(12, memory);
  clock.run();
  expect(done).toEqual(['done']);
  expect(requests.most).toBe(4);
  expect(memory.most).toBeLessThanOrEqual(memory.use?.most ?? 0);
  expect([memory.opened, memory.open, memory.held]).toEqual([1, 0, 0]);
});

test('it holds no more than its limit, which never stops it, and goes up to four uploads again when the limit rises', () => {
  const memory = new TestAllowance();
  memory.limit = 0;
  const { clock, done, requests } = writing(30, memory);
  clock.advance(1000);
  expect(done).toEqual([]);
  expect(memory.held).toBeGreaterThan(0);
  expect([memory.most <= 2 * partSize, requests.most]).toEqual([true, 2]);
  memory.set(Infinity);
  clock.run();
  expect(done).toEqual(['done']);
  expect(requests.most).toBe(4);
});

test('a limit that falls takes the memory of uploaded parts, and that of parts as they are uploaded', () => {
  const memory = new TestAllowance();
  const { clock, done } = writing(30, memory);
  clock.advance(250);
  expect(memory.held).toBeGreaterThan(2 * partSize);
  memory.set(0);
  clock.advance(150);
  expect(memory.held).toBeLessThanOrEqual(2 * partSize);
  clock.run();
  expect(done).toEqual(['done']);
  expect(memory.open).toBe(0);
});

test.each([
  ['an error', false],
  ['an unsubscribe', true],
])('%s gives the memory back', (_, unsubscribe) => {
  const memory = new TestAllowance();
  const { clock, done, running, cleanUps } = writing(12, memory, (store) =>
    unsubscribe
      ? store
      : faulty(store, { random: () => 0, before: 1, only: ({ method }) => method === 'uploadPart' }),
  );
  clock.advance(150);
  if (unsubscribe) {
    expect(memory.open).toBe(1);
    running.unsubscribe();
    for (const cleanUp of cleanUps) cleanUp.subscribe();
  } else clock.run();
  expect(done).toEqual(unsubscribe ? [] : [expect.any(Error)]);
  expect([memory.opened, memory.open]).toEqual([1, 0]);
});

test('a small object takes no allowance', () => {
  const memory = new TestAllowance();
  const clock = new SimulatedClock();
  const target = { store: createMemoryStore(), key: 'o', uri: 'memory://t/o', clock, allow: memory.allow };
  writeObject(target, from([Buffer.alloc(60 << 10)])).subscribe();
  expect(memory.opened).toBe(0);
});
