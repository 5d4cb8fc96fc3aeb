import { NEVER, of, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import {
  barrier,
  clockOf,
  credit,
  end,
  isSignal,
  memory,
  open,
  signal,
  type Clock,
  type Frozen,
  type Json,
  type Service,
  type Signal,
} from '../../src/flow/index.js';
import { keyed } from '../../src/operators/keyed.js';
import { valueState, type StateSpec, type ValueState } from '../../src/state/index.js';
import { counting } from '../../src/store/decorators/counting.js';
import { delayed } from '../../src/store/decorators/delay.js';
import { faulty } from '../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { checkpointData } from '../../src/store/services.js';
import { SimulatedClock, TestAttempt } from '../../src/testing/index.js';
import { dataOn } from '../state/harness.js';

function attemptOver(clock: Clock, store: ObjectStore, snapshot?: Json): TestAttempt {
  return new TestAttempt({
    clock,
    services: new Map<Service<unknown>, unknown>([[checkpointData, dataOn(store)]]),
    restored: new Map(snapshot === undefined ? [] : [['count', { snapshot, pending: [] }]]),
  });
}

const counts = () =>
  keyed('count', {
    key: (word: string) => word,
    state: { n: valueState(0) },
    onRecord: (word, { n }) => [`${word}${n.update((x) => x + 1)}`],
  });

/** A manual input, and its output: signals by name, errors by code. */
function bench(store: ObjectStore, snapshot?: Json, operator = counts()) {
  const clock = new SimulatedClock();
  const attempt = attemptOver(clock, store, snapshot);
  const input = new Subject<string | Signal>();
  const seen: unknown[] = [];
  const acks: Frozen[] = [];
  const subscription = input.pipe(operator).subscribe({
    next: (v) => seen.push(isSignal(v) ? v[signal] : v),
    error: (error: unknown) => seen.push(`error ${(error as { code?: string }).code ?? String(error)}`),
    complete: () => seen.push('complete'),
  });
  return {
    attempt,
    clock,
    seen,
    acks,
    subscription,
    open: () => input.next(open(['s'], attempt)),
    send: (...values: string[]) => values.forEach((v) => input.next(v)),
    barrier: () => input.next(barrier(1, 'periodic', (_, frozen) => acks.push(frozen), NEVER)),
    input,
  };
}

describe('keyed', () => {
  test('a barrier passes synchronously; the ack follows when the frozen state is stored', () => {
    const shown = (messages: { frame: number; notification: { kind: string; value?: unknown } }[]) =>
      messages.map(({ frame, notification: { kind, value } }) => [
        frame,
        kind,
        isSignal(value) ? value[signal] : value,
      ]);
    const scheduler = new TestScheduler((actual, expected) => {
      expect(shown(actual as never)).toEqual(shown(expected as never));
    });
    scheduler.run(({ cold, expectObservable }) => {
      const clock = clockOf(scheduler);
      const attempt = attemptOver(clock, delayed(createMemoryStore({ clock }), { clock, before: () => 5 }));
      const acks = new Subject<string>();
      const b = barrier(1, 'periodic', (id) => acks.next(id), NEVER);
      const o = open(['s'], attempt);
      const input = cold<string | Signal>('o-a-a-b-a-e---', { o, a: 'a', b, e: end });
      const output = '                     o-x-y-b-z-e---';
      const acked = '                      -----------k--';
      expectObservable(acks).toBe(acked, { k: 'count' });
      expectObservable(input.pipe(counts())).toBe(output, { o, x: 'a1', y: 'a2', b, z: 'a3', e: end });
    });
  });

  test('what comes after the barrier is not in the checkpoint', () => {
    const store = createMemoryStore();
    const first = bench(store);
    first.open();
    first.send('a', 'b', 'a');
    first.barrier();
    first.send('a', 'c');
    first.clock.run();
    const second = bench(store, first.acks[0]?.snapshot);
    second.open();
    second.clock.run();
    second.send('a', 'b', 'c');
    expect(second.seen).toEqual(['open', 'a3', 'b2', 'c1']);
  });

  test('a state may be renamed, added, and, if that is allowed, dropped', () => {
    const store = createMemoryStore();
    const first = bench(store);
    first.open();
    first.send('a', 'a');
    first.barrier();
    first.clock.run();
    const then = (state: Record<string, StateSpec<ValueState<number>>>, allowDropped?: readonly string[]) => {
      const second = bench(
        store,
        first.acks[0]?.snapshot,
        keyed('count', {
          key: (word: string) => word,
          state,
          ...(allowDropped === undefined ? {} : { allowDropped }),
          onRecord: (_, states) => [
            Object.values(states)
              .map(({ value }) => value)
              .join(),
          ],
        }),
      );
      second.open();
      second.clock.run();
      second.send('a');
      return second.seen;
    };
    expect(then({ m: valueState(0, { formerly: 'n' }), added: valueState(7) })).toEqual(['open', '7,2']);
    expect(then({ other: valueState(5) })).toEqual(['error StateSchemaMismatch']);
    expect(then({ other: valueState(5) }, ['n'])).toEqual(['open', '5']);
  });

  test('without changes the ack comes within the barrier’s own turn', () => {
    const t = bench(createMemoryStore());
    t.open();
    t.barrier();
    expect(t.acks).toHaveLength(1);
    expect(t.acks[0]?.objects).toEqual([]);
  });

  test('its state is counted, after about every 64 KiB of input, and no more once it is torn down', () => {
    const counted: number[] = [];
    const clock = new SimulatedClock();
    const attempt = new TestAttempt({
      clock,
      services: new Map<Service<unknown>, unknown>([
        [checkpointData, dataOn(createMemoryStore())],
        [
          memory,
          {
            charge: () => ({
              set: (bytes: number) => counted.push(bytes),
              leave: () => counted.push(0),
            }),
          },
        ],
      ]),
    });
    const input = new Subject<string | Signal>();
    const subscription = input.pipe(counts()).subscribe();
    input.next(open(['s'], attempt));
    for (let n = 0; n < 40_000; n++) input.next(`word ${n}`);
    expect(counted).toEqual([0]);
    input.next(credit('s', 1));
    // 40,000 × (100 + 64): nothing has been encoded yet.
    expect(counted.slice(1)).toEqual([6 << 20]);
    input.next(barrier(1, 'periodic', () => undefined, NEVER));
    clock.run();
    // A key and a number are far smaller.
    expect(counted.at(-1)).toBe(4 << 20);
    subscription.unsubscribe();
    expect(counted.at(-1)).toBe(0);
  });

  test('open waits until the state is restored', () => {
    const store = createMemoryStore();
    const first = bench(store);
    first.open();
    first.send('a');
    first.barrier();
    first.clock.run();
    const second = bench(store, first.acks[0]?.snapshot);
    second.open();
    expect(second.seen).toEqual([]);
    second.clock.run();
    expect(second.seen).toEqual(['open']);
  });

  test('registers itself as an operator, and reports its segments', () => {
    const t = bench(createMemoryStore());
    t.open();
    t.send('a');
    t.barrier();
    t.clock.run();
    expect([...t.attempt.participants.values()]).toEqual([
      expect.objectContaining({ id: 'count', kind: 'operator' }),
    ]);
    expect(t.attempt.trace.flatMap((each) => (each.type === 'report' ? each.event : []))).toEqual([
      expect.objectContaining({ type: 'segment-written', operator: 'count', entries: 1, requests: 1 }),
    ]);
  });

  test('an upload that fails permanently fails the flow', () => {
    const t = bench(faulty(createMemoryStore(), { random: () => 0, before: 1 }));
    t.open();
    t.send('a');
    t.barrier();
    t.clock.run();
    expect(t.seen).toEqual(['open', 'a1', 'barrier', 'error Unavailable']);
    expect(t.acks).toEqual([]);
  });

  test('a mismatching snapshot fails the flow before open', () => {
    const t = bench(createMemoryStore(), { version: 9 });
    t.open();
    expect(t.seen).toEqual(['error StateSchemaMismatch']);
  });

  test.each([
    ['key', { key: () => { throw new Error('boom'); } }], // prettier-ignore
    ['onRecord', { onRecord: () => { throw new Error('boom'); } }], // prettier-ignore
    ['the iterable of onRecord', { *onRecord() { yield ''; throw new Error('boom'); } }], // prettier-ignore
  ])('what %s throws is the error of the flow', (_, override) => {
    const options = { key: (w: string) => w, state: { n: valueState(0) }, onRecord: (w: string) => [w] };
    const t = bench(createMemoryStore(), undefined, keyed('count', { ...options, ...override }));
    t.open();
    t.send('a');
    expect(t.seen.at(-1)).toBe('error Error: boom');
  });

  test('an invalid key ends the flow with a typed error', () => {
    const t = bench(
      createMemoryStore(),
      undefined,
      keyed('count', {
        key: () => undefined as never,
        state: { n: valueState(0) },
        onRecord: (w: string) => [w],
      }),
    );
    t.open();
    t.send('a');
    expect(t.seen).toEqual(['open', 'error UnsupportedKey']);
  });

  test.each<[string, string, object]>([
    ['an async onRecord', 'PromiseInFlow', { onRecord: (w: string) => Promise.resolve([w]) }],
    ['an async key', 'PromiseInFlow', { key: (w: string) => Promise.resolve(w) }],
    ['promises among the records', 'PromiseInFlow', { onRecord: (w: string) => [Promise.resolve(w)] }],
    ['an async generator', 'NotIterable', { async *onRecord(w: string) { yield await Promise.resolve(w); } }], // prettier-ignore
    ['an onRecord that returns an Observable', 'ObservableInFlow', { onRecord: (w: string) => of(w) }],
    ['Observables among the records', 'ObservableInFlow', { onRecord: (w: string) => [of(w)] }],
    ['an Observable for a key', 'ObservableInFlow', { key: (w: string) => of(w) }],
    ['an onRecord that returns a string', 'NotIterable', { onRecord: (w: string) => w }],
    ['an onRecord without a return', 'NotIterable', { onRecord: () => undefined }],
    ['an onRecord that returns a record', 'NotIterable', { onRecord: (w: string) => ({ w }) }],
  ])('%s: %s', (_, code, override) => {
    const options = { key: (w: string) => w, state: { n: valueState(0) }, onRecord: (w: string) => [w] };
    const t = bench(createMemoryStore(), undefined, keyed('count', { ...options, ...override }));
    t.open();
    t.send('a');
    expect(t.seen).toEqual(['open', `error ${code}`]);
  });

  test('a record before open is an error with advice', () => {
    const t = bench(createMemoryStore());
    t.send('a');
    expect(t.seen).toEqual(['error NotOpened']);
  });

  test('the matrix: empty, completion, error, early unsubscribe', () => {
    const empty = bench(createMemoryStore());
    empty.input.complete();
    expect(empty.seen).toEqual(['error NotOpened']);

    const failing = bench(createMemoryStore());
    failing.open();
    failing.input.error(new Error('upstream'));
    expect(failing.seen).toEqual(['open', 'error Error: upstream']);

    const { store, counts: requests } = counting(createMemoryStore());
    const left = bench(store);
    left.open();
    left.send('a');
    left.barrier();
    left.subscription.unsubscribe();
    left.clock.run();
    expect(requests().total).toBe(0);
    expect(left.acks).toEqual([]);
    expect(left.input.observed).toBe(false);
  });

  test.each<[string, unknown, unknown]>([
    ['an empty id', '', {}],
    ['no key', 'id', { state: { n: valueState(0) }, onRecord: () => [] }],
    ['no onRecord', 'id', { key: () => 1, state: { n: valueState(0) } }],
    ['no state', 'id', { key: () => 1, onRecord: () => [], state: {} }],
    ['what is no state', 'id', { key: () => 1, onRecord: () => [], state: { n: 0 } }],
    [
      'a former name that is declared',
      'id',
      {
        key: () => 1,
        onRecord: () => [],
        state: { n: valueState(0), m: valueState(0, { formerly: 'n' }) },
      },
    ],
    [
      'one former name of two states',
      'id',
      {
        key: () => 1,
        onRecord: () => [],
        state: { n: valueState(0, { formerly: 'x' }), m: valueState(0, { formerly: 'x' }) },
      },
    ],
    ...[true, 'x', [1], ['n']].map((allowDropped): [string, unknown, unknown] => [
      `allowDropped: ${JSON.stringify(allowDropped)}`,
      'id',
      { key: () => 1, onRecord: () => [], state: { n: valueState(0) }, allowDropped },
    ]),
  ])('%s is refused at once', (_, id, options) => {
    expect(() => keyed(id as string, options as never)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^Invalid(Option|State)$/) as string }) as Error,
    );
  });
});
