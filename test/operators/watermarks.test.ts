import fc from 'fast-check';
import { Subject, VirtualTimeScheduler } from 'rxjs';
import { type Flow, type MillraceError, watermarks, type WatermarkOptions } from '../../src/index.js';
import { clockOf, isSignal, open, signal, type Json, type Restored } from '../../src/flow/index.js';
import { TestAttempt } from '../../src/testing/index.js';
import { mergedWatermarks } from '../../src/operators/watermarks.js';

interface Timed {
  readonly at: number;
}

interface Seen {
  readonly time: number;
  readonly idle: boolean;
}

/** One attempt of `watermarks`, in virtual time. */
class Run {
  readonly out: (Timed | Seen)[] = [];
  readonly errors: unknown[] = [];
  readonly #scheduler = new VirtualTimeScheduler();
  readonly #attempt: TestAttempt;
  readonly #input = new Subject<never>();
  #checkpoints = 0;

  constructor(options: Partial<WatermarkOptions<Timed>> = {}, snapshot?: Json) {
    const restored = new Map<string, Restored>();
    if (snapshot !== undefined) restored.set('time', { snapshot, pending: [] });
    this.#attempt = new TestAttempt({ clock: clockOf(this.#scheduler), restored });
    (this.#input as Flow<Timed>)
      .pipe(watermarks('time', { timestamp: ({ at }) => at, ...options }))
      .subscribe({
        next: (each) => {
          if (!isSignal(each)) this.out.push(each);
          else if (each[signal] === 'watermark') this.out.push({ time: each.time, idle: each.idle });
        },
        error: (error: unknown) => this.errors.push(error),
      });
    this.#input.next(open(['in'], this.#attempt) as never);
  }

  get watermarks(): Seen[] {
    return this.out.filter((each) => 'idle' in each);
  }

  send(...times: readonly number[]): this {
    for (const at of times) this.#input.next({ at } as never);
    return this;
  }

  /** Returns what it acked. */
  barrier(): Json | undefined {
    const checkpoint = ++this.#checkpoints;
    this.#input.next(this.#attempt.barrier(checkpoint, 'periodic').barrier as never);
    return this.#attempt.acked(checkpoint, 'time')?.snapshot;
  }

  wait(milliseconds: number): this {
    this.#scheduler.maxFrames = this.#scheduler.frame + milliseconds;
    this.#scheduler.schedule(() => undefined, milliseconds);
    this.#scheduler.flush();
    return this;
  }
}

test('the watermark after each record is the latest time so far, less what may be out of order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 30 }),
      fc.nat({ max: 20 }),
      fc.nat({ max: 30 }),
      (times, outOfOrder, cut) => {
        const first = new Run({ outOfOrder }).send(...times.slice(0, cut));
        const second = new Run({ outOfOrder }, first.barrier()).send(...times.slice(cut));
        let latest = -Infinity;
        const expected: unknown[] = [];
        times.forEach((at, index) => {
          if (index === cut && latest > -Infinity) expected.push({ time: latest - outOfOrder, idle: false });
          expected.push({ at });
          if (at <= latest) return;
          latest = at;
          expected.push({ time: at - outOfOrder, idle: false });
        });
        if (cut >= times.length && latest > -Infinity)
          expected.push({ time: latest - outOfOrder, idle: false });
        expect([...first.out, ...second.out]).toEqual(expected);
      },
    ),
  );
});

test('a watermark does not fall when more may be out of order than before', () => {
  const snapshot = new Run().send(100).barrier();
  expect(new Run({ outOfOrder: 50 }, snapshot).send(120, 160).watermarks).toEqual([
    { time: 100, idle: false },
    { time: 110, idle: false },
  ]);
});

describe('an input is idle', () => {
  const idle = 100;

  test('exactly so long after its last record', () => {
    const run = new Run({ idle }).send(1).wait(60).send(1).wait(60).send(1).wait(99);
    expect(run.watermarks).toEqual([{ time: 1, idle: false }]);
    run.wait(1);
    expect(run.watermarks.at(-1)).toEqual({ time: 1, idle: true });
    run.wait(1000);
    expect(run.watermarks).toHaveLength(2);
    run.send(0);
    expect(run.watermarks.at(-1)).toEqual({ time: 1, idle: false });
    run.wait(100);
    expect(run.watermarks.at(-1)).toEqual({ time: 1, idle: true });
  });

  test('that never has a record, once the attempt runs', () => {
    const run = new Run({ idle });
    run.wait(60).barrier();
    expect(run.wait(39).watermarks).toEqual([]);
    expect(run.wait(1).watermarks).toEqual([{ time: -Infinity, idle: true }]);
    const restored = new Run({ idle }, run.barrier());
    expect(restored.watermarks).toEqual([{ time: -Infinity, idle: true }]);
    expect(restored.send(4).watermarks.at(-1)).toEqual({ time: 4, idle: false });
  });

  test('never, by default', () => {
    expect(new Run().send(1).wait(1e9).watermarks).toEqual([{ time: 1, idle: false }]);
  });
});

test.each([
  [NaN, 'NaN'],
  [Infinity, 'Infinity'],
  [new Date(NaN), 'an invalid date'],
  ['2026-01-01', 'a value of type String'],
  [undefined, 'a value of type Undefined'],
])('a timestamp that is %s errors the flow', (given, what) => {
  const run = new Run({ timestamp: () => given as number }).send(1);
  const [error] = run.errors as MillraceError[];
  expect(error).toMatchObject({ code: 'BadTimestamp', retryable: false });
  expect(error?.message).toContain(what);
  expect(run.out).toEqual([]);
});

test('a timestamp that is a promise is refused as such', () => {
  const run = new Run({ timestamp: () => Promise.resolve(1) as unknown as number }).send(1);
  expect(run.errors).toEqual([expect.objectContaining({ code: 'PromiseInFlow' })]);
});

test.each([
  ['of another operator', { kind: 'keyed-state', version: 2, idle: false }],
  ['of a later version', { kind: 'watermarks', version: 2, idle: false }],
  ['with a time that is none', { kind: 'watermarks', version: 1, time: '5', idle: false }],
  ['without a field', { kind: 'watermarks', version: 1, time: 5 }],
  ['that is no object', 5],
])('a checkpoint %s is rejected', (_, snapshot) => {
  expect(new Run({}, snapshot).errors).toEqual([expect.objectContaining({ code: 'StateSchemaMismatch' })]);
});

test.each([
  ['no function', { timestamp: 5 }],
  ['an unknown option', { timestamp: Number, late: 5 }],
  ['a negative duration', { timestamp: Number, outOfOrder: -5 }],
  ['no time to be idle', { timestamp: Number, idle: 0 }],
  ['no options', undefined],
])('%s is an invalid option', (_, options) => {
  expect(() => watermarks('time', options as never)).toThrow(
    expect.objectContaining({ code: 'InvalidOption' }),
  );
});

test.each([
  [
    { time: 5, idle: false },
    { time: 5, idle: false },
  ],
  [{ idle: true }, { time: -Infinity, idle: true }],
])(
  'a restored event time is announced once the attempt runs, as others may still be restoring: %j',
  (part, seen) => {
    const starts: (() => void)[] = [];
    class Waiting extends TestAttempt {
      override running(start: () => void): void {
        starts.push(start);
      }
    }
    const snapshot = { kind: 'watermarks', version: 1, ...part };
    const attempt = new Waiting({
      clock: clockOf(new VirtualTimeScheduler()),
      restored: new Map([['time', { snapshot, pending: [] }]]),
    });
    const input = new Subject<never>();
    const out: unknown[] = [];
    (input as Flow<Timed>).pipe(watermarks('time', { timestamp: ({ at }) => at })).subscribe((each) => {
      if (isSignal(each))
        out.push(each[signal] === 'watermark' ? { time: each.time, idle: each.idle } : each[signal]);
    });
    input.next(open(['in'], attempt) as never);
    expect(out).toEqual(['open']);
    for (const start of starts) start();
    expect(out).toEqual(['open', seen]);
  },
);

describe('event time of flows that are replaced by one', () => {
  const snapshot = (idle: boolean, time?: number) => ({
    ...{ kind: 'watermarks', version: 1, idle },
    ...(time === undefined ? {} : { time }),
  });

  test.each([
    [[snapshot(false, 5), snapshot(false, 3)], snapshot(false, 3)],
    [[snapshot(false, 5), snapshot(true, 3)], snapshot(false, 5)],
    [[snapshot(true, 5), snapshot(true, 3)], snapshot(true, 5)],
    [[snapshot(false, 5), snapshot(false)], snapshot(false)],
    [[snapshot(true), snapshot(false, 4)], snapshot(false, 4)],
    [[snapshot(true), snapshot(true)], snapshot(true)],
    [[snapshot(false, 5), { n: 1 }], undefined],
    [[snapshot(false, 5), undefined], undefined],
  ])('%j is %j', (snapshots, merged) => {
    expect(mergedWatermarks(snapshots)).toEqual(merged);
  });
});
