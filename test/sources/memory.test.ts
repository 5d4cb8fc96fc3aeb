/** A source within its shares of the memory of the process. */
import fc from 'fast-check';
import { concatMap, NEVER, Subject, VirtualTimeScheduler } from 'rxjs';
import { clockOf, isSignal, memory, type Memory, type MemoryUse } from '../../src/flow/index.js';
import { headBytes } from '../../src/formats/recognise.js';
import { text } from '../../src/formats/text.js';
import { FilesReader } from '../../src/sources/filesReader.js';
import { filesSettings } from '../../src/sources/files.js';
import { SourcePump } from '../../src/sources/pump.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { stores } from '../../src/store/services.js';
import { TestAttempt } from '../../src/testing/testAttempt.js';
import { memoryWith, slicedFiles, storesOf, outputTo } from './harness.js';

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
    expect.objectContaining({ who: "source 'in' (read-ahead)", least: 10, most: 60 }),
  ]);
  expect(requested).toBe(1);
  shares.set(most);
  expect(requested).toBe(4);
  reader.close();
  expect(shares.left).toBe(1);
});

test('what it holds of a long line takes the place of read-ahead, in memory that is never exceeded, and all is read', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(6000), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1000, max: 4000 }),
      fc.integer({ min: 1, max: 6 }),
      fc.nat(20_000),
      (lengths, fragment, window, more) => {
        const lines = lengths.map((length) => 'x'.repeat(length));
        const limit = Math.min((window + 2) * fragment, fragment + more);
        const shares = new Shares(() => limit);
        const opened: FilesReader<string>[] = [];
        const store = decorate(memoryWith({ a: lines.map((line) => `${line}\n`).join('') }), (call, run) => {
          for (const { held } of call.method === 'get' ? opened : []) {
            // However long the line is, one fragment may be fetched. The first bytes are looked at.
            const line = Math.max(...lengths) + 1;
            expect(held).toBeLessThanOrEqual(Math.max(limit, line + fragment) + headBytes);
          }
          return run;
        });
        const attempt = new TestAttempt({
          clock: clockOf(new VirtualTimeScheduler()),
          services: new Map<never, unknown>([
            [stores as never, storesOf(store)],
            [memory as never, shares],
          ]),
        });
        const settings = filesSettings('memory://lake/', { format: text(), prefetch: { window, fragment } });
        const reader = new FilesReader(settings, {
          ...{ id: 'in', attempt, position: undefined, ready: () => undefined },
          fail: (error) => {
            throw error;
          },
        });
        opened.push(reader);
        const records: string[] = [];
        const out = outputTo((line: string) => records.push(line));
        for (let polls = 0; polls < 1000 && reader.poll(out) !== 'end'; polls++);
        expect(records).toEqual(lines);
        reader.close();
        expect(shares.left).toBe(1);
      },
    ),
  );
});

test('what a decoder holds is reported, and read-ahead shrinks by it', () => {
  const answers: Subject<void>[] = [];
  const store = decorate(memoryWith({ a: 'line\n'.repeat(200) }), (call, run) => {
    if (call.method !== 'get') return run;
    const answer = new Subject<void>();
    answers.push(answer);
    return answer.pipe(concatMap(() => run));
  });
  const shares = new Shares(most);
  const attempt = new TestAttempt({
    clock: clockOf(new VirtualTimeScheduler()),
    services: new Map<never, unknown>([
      [stores as never, storesOf(store)],
      [memory as never, shares],
    ]),
  });
  const format = text();
  let held = 0;
  const keeping: typeof format = {
    ...format,
    decoder: (start) => ({
      ...format.decoder(start),
      get held() {
        return held;
      },
    }),
  };
  const settings = filesSettings('memory://lake/', {
    format: keeping,
    prefetch: { window: 4, fragment: 100 },
  });
  const reader = new FilesReader(settings, {
    ...{ id: 'in', attempt, position: undefined, ready: () => undefined },
    fail: (error) => {
      throw error;
    },
  });
  const poll = () => reader.poll(outputTo());
  expect(answers).toHaveLength(4);
  answers[0]?.next();
  poll();
  expect(answers).toHaveLength(5);
  held = 500;
  poll();
  answers[1]?.next();
  poll();
  expect(answers).toHaveLength(5);
  // This one, and the three in flight.
  expect(shares.reported.at(-1)).toBeGreaterThanOrEqual(held + 300);
  held = 0;
  poll();
  expect(answers).toHaveLength(6);
  reader.close();
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
