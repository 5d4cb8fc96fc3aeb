import fc from 'fast-check';
import { lastValueFrom, type Observable, type Subscription } from 'rxjs';
import { ReadBudget, SeekableReader, type ReaderLimits } from '../../../src/store/reader/index.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { delayed } from '../../../src/store/decorators/delay.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { isRetryable } from '../../../src/errors.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { seeded } from '../../simulation/random.js';

/** A few hundred KiB of content: budgets have a minimum of 64 KiB. */
const content = Buffer.alloc(600_000);
for (let i = 0; i < content.length; i++) content[i] = (i * 31 + (i >> 8) * 7) & 255;

type Move =
  | { readonly type: 'read'; readonly reader: number; readonly at: number; readonly length: number }
  | { readonly type: 'next'; readonly reader: number; readonly length: number }
  | { readonly type: 'pull'; readonly reader: number; readonly most: number }
  | { readonly type: 'seek'; readonly reader: number; readonly to: number }
  | { readonly type: 'cancel'; readonly which: number }
  | { readonly type: 'time'; readonly steps: number };

const reader = fc.nat(3);
const length = fc.oneof(fc.nat(5000), fc.nat(300_000));
const at = fc.nat(650_000);
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ type: fc.constant('read' as const), reader, at, length }),
  { arbitrary: fc.record({ type: fc.constant('next' as const), reader, length }), weight: 3 },
  { arbitrary: fc.record({ type: fc.constant('pull' as const), reader, most: length }), weight: 2 },
  fc.record({ type: fc.constant('seek' as const), reader, to: at }),
  fc.record({ type: fc.constant('cancel' as const), which: fc.nat(10) }),
  { arbitrary: fc.record({ type: fc.constant('time' as const), steps: fc.nat(20) }), weight: 3 },
);

interface Asked {
  readonly expected: Buffer;
  readonly some: boolean;
  result?: Buffer;
  error?: unknown;
  readonly subscription: Subscription;
}

describe('readers that share a budget', () => {
  it('answer every read as a Buffer would, for any seeks, faults and delays, within the budget, and without deadlock', () => {
    fc.assert(
      fc.property(
        fc.record({
          size: fc.constantFrom(0, 1, 4096, 100_000, 600_000),
          limits: fc.record({
            buffer: fc.integer({ min: 1, max: 40_000 }),
            fragment: fc.integer({ min: 1000, max: 100_000 }),
            window: fc.integer({ min: 1, max: 8 }),
          }),
          budget: fc.integer({ min: 65_536, max: 400_000 }),
          faults: fc.constantFrom(0, 0.1, 0.5),
          sequential: fc.boolean(),
          seed: fc.nat(),
        }),
        fc.array(move, { maxLength: 60 }),
        ({ size, limits, budget: limit, faults, sequential, seed }, moves) => {
          const clock = new SimulatedClock();
          const random = seeded(seed);
          const body = content.subarray(0, size);
          const inner = createMemoryStore();
          inner.put('o', body).subscribe();
          const slow = delayed(inner, { clock, before: () => Math.floor(random() * 20) });
          const flaky = faulty(slow, { random, before: faults, only: ({ method }) => method === 'get' });
          const { store, counts } = counting(flaky);
          const budget = new ReadBudget(limit);
          const within = (): void => expect(budget.held).toBeLessThanOrEqual(limit);
          const readers = Array.from({ length: 4 }, () => openNow(store, limits, budget, sequential, clock));
          const asked: Asked[] = [];

          const ask = (
            from: SeekableReader,
            request: Observable<unknown>,
            expected: Buffer,
            some: boolean,
          ) => {
            const entry: { -readonly [K in keyof Asked]: Asked[K] } = { expected, some } as Asked;
            asked.push(entry);
            entry.subscription = request.subscribe({
              next: (answer) => {
                entry.result = Array.isArray(answer)
                  ? Buffer.concat(answer as Uint8Array[])
                  : Buffer.alloc(answer as number);
              },
              error: (error: unknown) => (entry.error = error),
            });
          };
          for (const each of moves) {
            if (each.type === 'time') for (let i = 0; i < each.steps; i++) clock.step();
            else if (each.type === 'cancel') asked.at(-each.which)?.subscription.unsubscribe();
            else {
              const on = readers[each.reader]!;
              if (each.type === 'seek') on.seek(each.to);
              else if (each.type === 'pull') {
                // A pull moves the position only when it is answered, so the reader has to be idle.
                clock.run();
                ask(on, on.pull(each.most), body.subarray(on.position), true);
              } else {
                const start = each.type === 'read' ? each.at : on.position;
                const into = Buffer.alloc(each.length);
                const expected = body.subarray(start, start + each.length);
                const request = each.type === 'read' ? on.read(into, each.at) : on.read(into);
                ask(on, request, expected, false);
                const entry = asked.at(-1)!;
                entry.subscription.add(() => {
                  if (entry.error === undefined && entry.result !== undefined)
                    expect(into.subarray(0, entry.result.length).equals(expected)).toBe(true);
                });
              }
            }
            within();
          }
          while (clock.step()) within();

          for (const { expected, some, result, error, subscription } of asked) {
            expect(subscription.closed).toBe(true);
            if (error !== undefined) {
              expect(faults).toBeGreaterThan(0);
              expect(isRetryable(error)).toBe(true);
            } else if (result !== undefined) {
              if (some) expect(expected.subarray(0, result.length).equals(result)).toBe(true);
              else expect(result.length).toBe(expected.length);
              if (expected.length > 0) expect(result.length).toBeGreaterThan(0);
            }
          }
          for (const each of readers) each.close();
          expect(budget.held).toBe(0);
          const before = counts().total;
          clock.run();
          expect(counts().total).toBe(before);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('a failed fragment is forgotten: the same read, repeated, succeeds', async () => {
    const inner = createMemoryStore();
    await lastValueFrom(inner.put('o', content));
    let failing = true;
    const store = faulty(inner, {
      random: () => 0,
      before: 1,
      only: ({ method }) => method === 'get' && failing,
    });
    const budget = new ReadBudget();
    const limits = { buffer: 1000, fragment: 10_000, window: 4 };
    const open = await lastValueFrom(SeekableReader.open(store, 'o', { limits, budget, sequential: true }));
    const into = Buffer.alloc(50_000);
    await expect(lastValueFrom(open.read(into, 0))).rejects.toMatchObject({ code: 'Unavailable' });
    failing = false;
    expect(await lastValueFrom(open.read(into, 0))).toBe(50_000);
    expect(into.equals(content.subarray(0, 50_000))).toBe(true);
    open.close();
    expect(budget.held).toBe(0);
  });
});

function openNow(
  store: ObjectStore,
  limits: ReaderLimits,
  budget: ReadBudget,
  sequential: boolean,
  clock: SimulatedClock,
): SeekableReader {
  let opened: SeekableReader | undefined;
  SeekableReader.open(store, 'o', { limits, budget, sequential }).subscribe((each) => (opened = each));
  clock.run(() => opened !== undefined);
  return opened!;
}
