import fc from 'fast-check';
import { Subject, type Subscription } from 'rxjs';
import {
  end,
  isSignal,
  open,
  signal,
  watermark,
  type Json,
  type Service,
  type Signal,
} from '../../src/flow/index.js';
import { keyed } from '../../src/operators/keyed.js';
import { timers, valueState, type Timers } from '../../src/state/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { checkpointData } from '../../src/store/services.js';
import { SimulatedClock, TestAttempt } from '../../src/testing/index.js';
import { coded, dataOn } from '../state/harness.js';

type Work = (handles: { readonly event: Timers; readonly clock: Timers }) => void;
interface Input {
  readonly key: string;
  readonly work: Work;
}

const work = (key: string, change: Work): Input => ({ key, work: change });

/** An operator in one attempt. Emits what fires, as `state key time namespace`. */
class Attempted {
  readonly fired: string[] = [];
  readonly signals: string[] = [];
  error: unknown;
  readonly attempt: TestAttempt;
  readonly #input = new Subject<Input | Signal>();
  readonly #running: (() => void)[] = [];
  readonly #subscription: Subscription;
  #checkpoints = 0;

  constructor(
    readonly clock: SimulatedClock,
    store: ReturnType<typeof createMemoryStore>,
    options: { readonly snapshot?: Json | undefined; readonly onTimer?: Work; readonly waits?: boolean } = {},
  ) {
    const { snapshot, onTimer, waits = false } = options;
    const running = this.#running;
    class Waiting extends TestAttempt {
      override running(start: () => void): void {
        if (waits) running.push(start);
        else start();
      }
    }
    this.attempt = new Waiting({
      clock,
      services: new Map<Service<unknown>, unknown>([[checkpointData, dataOn(store)]]),
      ...(snapshot === undefined ? {} : { restored: new Map([['timed', { snapshot, pending: [] }]]) }),
    });
    const operator = keyed('timed', {
      key: ({ key }: Input) => key,
      state: { event: timers('event'), clock: timers('processing'), n: valueState(0) },
      onRecord: (input, states) => {
        input.work(states);
        return [];
      },
      onTimer: ({ state, key, at, namespace }, states) => {
        onTimer?.(states);
        return [`${state} ${key} ${at}${namespace === undefined ? '' : ` ${JSON.stringify(namespace)}`}`];
      },
    });
    this.#subscription = this.#input.pipe(operator).subscribe({
      next: (value) => {
        if (isSignal(value)) this.signals.push(value[signal]);
        else this.fired.push(value);
      },
      error: (error: unknown) => {
        this.error = error;
      },
    });
    this.send(open(['s'], this.attempt));
    this.settle();
  }

  send(value: Input | Signal): void {
    this.#input.next(value);
  }

  run(): void {
    for (const start of this.#running) start();
  }

  /** Lets everything happen that needs no time. */
  settle(): void {
    this.until(this.clock.now());
  }

  until(time: number): void {
    this.clock.advance(time - this.clock.now());
  }

  checkpoint(reason: 'periodic' | 'stop' = 'periodic'): Json | undefined {
    const n = ++this.#checkpoints;
    this.send(this.attempt.barrier(n, reason).barrier);
    this.settle();
    return this.attempt.acked(n, 'timed')?.snapshot;
  }

  close(): void {
    this.#subscription.unsubscribe();
  }
}

type Act =
  | { do: 'set' | 'clear'; on: 'event' | 'clock'; key: string; at: number; namespace: string | undefined }
  | { do: 'watermark' | 'advance'; by: number }
  | { do: 'checkpoint' | 'crash' };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Act>[]>(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('set' as const, 'set' as const, 'clear' as const),
        on: fc.constantFrom('event' as const, 'clock' as const),
        key: fc.constantFrom('a', 'b'),
        at: fc.nat(30),
        namespace: fc.constantFrom(undefined, 'w'),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('watermark' as const, 'advance' as const),
        by: fc.nat(8),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('checkpoint' as const, 'checkpoint' as const, 'crash' as const),
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
);

describe('timers of keyed', () => {
  test('fire exactly as in a model of plain sets, over checkpoints, crashes and restores', () => {
    let fired = 0;
    let restores = 0;
    fc.assert(
      fc.property(acts, (list) => {
        const clock = new SimulatedClock();
        const store = createMemoryStore();
        let run = new Attempted(clock, store);
        let model = new Set<string>();
        let saved: { snapshot: Json | undefined; model: Set<string>; time: number } = {
          snapshot: undefined,
          model: new Set(),
          time: -Infinity,
        };
        let time = -Infinity;
        let expected: string[] = [];
        const timeOf = (timer: string): number => Number(timer.split(' ')[2]);
        const due = (on: string, now: number): void => {
          const ready = [...model].filter((timer) => timer.startsWith(on) && timeOf(timer) <= now);
          for (const timer of ready) model.delete(timer);
          expected.push(...ready.sort((a, b) => timeOf(a) - timeOf(b)));
        };
        const compare = (): void => {
          const inOrder = (all: readonly string[]): readonly (readonly string[])[] =>
            ['event', 'clock'].map((on) =>
              all
                .filter((timer) => timer.startsWith(on))
                .sort((a, b) => timeOf(a) - timeOf(b) || (a < b ? -1 : 1)),
            );
          expect(inOrder(run.fired)).toEqual(inOrder(expected));
          fired += run.fired.length;
          run.fired.length = 0;
          expected = [];
        };
        for (const act of list) {
          if (act.do === 'set' || act.do === 'clear') {
            const { on, key, at, namespace } = act;
            run.send(work(key, (handles) => handles[on][act.do](at, namespace)));
            const timer = `${on} ${key} ${at}${namespace === undefined ? '' : ` "${namespace}"`}`;
            if (act.do === 'set') model.add(timer);
            else model.delete(timer);
            run.settle();
            due('clock', clock.now());
          } else if (act.do === 'watermark') {
            time = Math.max(time, 0) + act.by;
            run.send(watermark(time));
            due('event', time);
          } else if (act.do === 'advance') {
            for (let i = 0; i < act.by; i++) {
              run.until(clock.now() + 1);
              due('clock', clock.now());
            }
          } else if (act.do === 'checkpoint') {
            const at = { model: new Set(model), time };
            saved = { snapshot: run.checkpoint(), ...at };
          } else {
            compare();
            run.close();
            restores++;
            run = new Attempted(clock, store, { snapshot: saved.snapshot });
            model = new Set(saved.model);
            time = saved.time;
            due('clock', clock.now());
          }
          expect(run.error).toBeUndefined();
          compare();
        }
        run.send(end);
        due('event', Infinity);
        compare();
        expect(run.signals.at(-1)).toBe('end');
        run.close();
      }),
      { numRuns: 200, interruptAfterTimeLimit: 60_000 },
    );
    expect([fired > 500, restores > 100]).toEqual([true, true]);
  });

  test('fire in the order of their times, over all keys and states', () => {
    const run = new Attempted(new SimulatedClock(), createMemoryStore());
    const times = Array.from({ length: 200 }, (_, i) => (i * 7919) % 1009);
    for (const [i, at] of times.entries()) run.send(work(`k${i % 17}`, ({ event }) => event.set(at)));
    run.send(watermark(500));
    const order = run.fired.map((timer) => Number(timer.split(' ')[2]));
    expect(order).toEqual(times.filter((at) => at <= 500).sort((a, b) => a - b));
    run.close();
  });

  test('a processing timer that came due while the job was down fires once, and not before the attempt runs', () => {
    const clock = new SimulatedClock();
    const store = createMemoryStore();
    const first = new Attempted(clock, store);
    first.send(work('k', (handles) => handles.clock.set(10, 'w')));
    const snapshot = first.checkpoint();
    first.close();
    clock.advance(1000);
    const again = new Attempted(clock, store, { snapshot, waits: true });
    again.until(2000);
    expect(again.fired).toEqual([]);
    again.run();
    again.settle();
    expect(again.fired).toEqual(['clock k 10 "w"']);
    const fired = again.checkpoint();
    again.close();
    const third = new Attempted(clock, store, { snapshot: fired });
    third.until(3000);
    expect(third.fired).toEqual([]);
    third.close();
  });

  test('nothing fires after the last barrier', () => {
    const run = new Attempted(new SimulatedClock(), createMemoryStore());
    run.send(work('k', ({ clock }) => clock.set(10)));
    expect(run.checkpoint('stop')).toBeDefined();
    run.until(20);
    expect(run.fired).toEqual([]);
    run.close();
  });

  test('event time advances to the latest timer at the end, and never falls', () => {
    const run = new Attempted(new SimulatedClock(), createMemoryStore());
    const seen: number[] = [];
    run.send(work('k', ({ event }) => (event.set(10), event.set(5))));
    run.send(watermark(20));
    run.send(work('k', ({ event }) => event.set(15)));
    run.send(watermark(12));
    run.send(work('k', ({ event }) => (seen.push(event.now), event.set(30))));
    run.send(end);
    expect(run.fired).toEqual(['event k 5', 'event k 10', 'event k 15', 'event k 30']);
    expect([...seen, run.signals.at(-1)]).toEqual([20, 'end']);
    run.close();
  });

  test('a timer waits again if the clock was set back', () => {
    const clock = new SimulatedClock();
    const run = new Attempted(clock, createMemoryStore());
    run.send(work('k', (handles) => handles.clock.set(10)));
    clock.advance(5);
    clock.setTime(0);
    clock.advance(5);
    expect(run.fired).toEqual([]);
    clock.advance(5);
    expect(run.fired).toEqual(['clock k 10']);
    run.close();
  });

  test('handles report the current time: of the clock, and of the watermark while its timers fire', () => {
    const clock = new SimulatedClock(7);
    const seen: number[] = [];
    const run = new Attempted(clock, createMemoryStore(), {
      onTimer: (handles) => seen.push(handles.event.now),
    });
    run.send(
      work('k', (handles) => {
        seen.push(handles.event.now, handles.clock.now);
        handles.event.set(3);
      }),
    );
    run.send(watermark(5));
    run.send(watermark(4));
    run.send(work('k', ({ event }) => seen.push(event.now)));
    expect(seen).toEqual([-Infinity, 7, 5, 5]);
    run.close();
  });

  test('an error of onTimer ends the flow', () => {
    const run = new Attempted(new SimulatedClock(), createMemoryStore(), {
      onTimer: () => {
        throw new Error('mine');
      },
    });
    run.send(work('k', ({ clock }) => clock.set(10)));
    run.until(10);
    expect(run.error).toEqual(new Error('mine'));
  });

  test('states with timers need onTimer', () => {
    expect(() =>
      keyed('k', { key: (n: number) => n, state: { t: timers('event') }, onRecord: () => [] }),
    ).toThrow(coded('InvalidOption'));
  });

  test('onTimer must return an iterable', () => {
    const input = new Subject<number | Signal>();
    const clock = new SimulatedClock();
    const services = new Map<Service<unknown>, unknown>([[checkpointData, dataOn(createMemoryStore())]]);
    let failure: unknown;
    input
      .pipe(
        keyed('k', {
          key: (n: number) => n,
          state: { t: timers('event') },
          onRecord: (n, { t }) => (t.set(n), []),
          onTimer: (() => 5) as never,
        }),
      )
      .subscribe({ error: (error: unknown) => (failure = error) });
    input.next(open(['s'], new TestAttempt({ clock, services })));
    input.next(1);
    input.next(end);
    expect(failure).toMatchObject({ code: 'NotIterable' });
    expect(failure).toMatchObject({ message: expect.stringContaining('onTimer of keyed') as string });
  });

  test.each(['skip', 'fail'] as const)('what onTimer cannot store, under %s', (onUnencodable) => {
    const input = new Subject<number | Signal>();
    const services = new Map<Service<unknown>, unknown>([[checkpointData, dataOn(createMemoryStore())]]);
    const attempt = new TestAttempt({ clock: new SimulatedClock(), services });
    const seen: unknown[] = [];
    input
      .pipe(
        keyed('k', {
          key: () => 'a',
          state: { t: timers('event'), last: valueState<unknown>(0), fired: valueState(0) },
          onRecord: (n, { t, last, fired }) => {
            t.set(n);
            return [[last.value, fired.value, t.pending().length]];
          },
          onTimer: ({ at }, { t, last, fired }) => {
            fired.update((n) => n + 1);
            last.set(at);
            t.set(at + 100);
            if (at === 2) last.set(() => at);
            return [at];
          },
          onUnencodable,
        }),
      )
      .subscribe({
        next: (value) => {
          if (!isSignal(value)) seen.push(value);
        },
        error: (error: unknown) => {
          seen.push(error);
        },
      });
    input.next(open(['s'], attempt));
    for (const n of [1, 2]) {
      input.next(n);
      input.next(watermark(n));
    }
    const before = [[0, 0, 1], 1, [1, 1, 2]];
    if (onUnencodable === 'fail') {
      expect(seen).toEqual([...before, coded('UnsupportedValue')]);
      return;
    }
    input.next(3);
    input.next(watermark(3));
    // The timer has fired, and nothing that it did remains.
    expect(seen).toEqual([...before, [1, 1, 2], 3]);
    expect(attempt.trace).toEqual([
      { type: 'report', event: expect.objectContaining({ type: 'record-skipped', count: 1 }) as unknown },
    ]);
  });
});
