import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { mergeMap, Observable, Subscription, tap } from 'rxjs';
import type { Frozen, Json } from '../../../src/flow/index.js';
import type { Key } from '../../../src/state/keys/keys.js';
import { encodeKey, storedKey } from '../../../src/state/keys/keys.js';
import { messagePack } from '../../../src/state/values/serializer.js';
import { valueState, type ValueState } from '../../../src/state/kinds/valueState.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { fewKeys, valueArbitrary } from '../arbitraries.js';
import { Bench, coded, same, segmentsOf, tableOf, takeTurns } from '../harness.js';
import { effort } from '../../support/effort.js';

const counter = { n: valueState(0) };
const set = (bench: Bench, key: Key, value: number): void =>
  bench.with<number>(key, 'n', (n) => n.set(value));
const get = (bench: Bench, key: Key): number => bench.with<number, number>(key, 'n', (n) => n.value);

describe('state backend', () => {
  test('a checkpoint of many keys is one PUT of at most 1.2 times the size of its encoded entries', () => {
    const { store, counts } = counting(createMemoryStore());
    const bench = new Bench(store, counter);
    let encoded = 0;
    for (let i = 0; i < effort(30_000, 100_000); i++) {
      const key = `user-${(i * 2_654_435_761) % 4_294_967_296}`;
      set(bench, key, i);
      encoded += encodeKey(key).length + (i < 128 ? 1 : i < 256 ? 2 : i < 65_536 ? 3 : 5);
    }
    bench.checkpoint();
    expect(counts().requests).toEqual({ put: 1 });
    expect(counts().bytesUp).toBeLessThanOrEqual(1.2 * encoded);
  });

  test('without changes there is no request, and the ack is synchronous', () => {
    const { store, counts } = counting(createMemoryStore());
    const bench = new Bench(store, counter);
    set(bench, 'a', 1);
    const first = bench.checkpoint();
    const before = counts().total;
    let ack: Frozen | undefined;
    bench.backend.freeze().subscribe((frozen) => (ack = frozen));
    expect(ack).toEqual(first);
    expect(counts().total).toBe(before);
    expect(ack?.objects).toEqual(segmentsOf(first.snapshot).map(({ object }) => object));
  });

  test('a checkpoint that begins as the one before it is acked is stored once', () => {
    const { store, counts } = counting(createMemoryStore());
    const bench = new Bench(store, counter);
    const acks: Frozen[] = [];
    set(bench, 'a', 1);
    const both = bench.backend.freeze().pipe(
      tap((first) => {
        acks.push(first);
        set(bench, 'b', 2);
      }),
      mergeMap(() => bench.backend.freeze()),
    );
    both.subscribe((second) => acks.push(second));
    bench.clock.run();
    expect(counts().requests).toEqual({ put: 2 });
    expect(acks.map(({ snapshot }) => segmentsOf(snapshot).length)).toEqual([1, 2]);
  });

  test('a checkpoint takes many short steps', () => {
    const bench = new Bench(createMemoryStore(), counter);
    for (let i = 0; i < 50_000; i++) set(bench, i, i);
    bench.backend.freeze().subscribe();
    expect(takeTurns(bench.clock)).toBeGreaterThan(20);
  });

  test('frozen cells that fail to store are in the next segment, under later writes', () => {
    let broken = true;
    const store = faulty(createMemoryStore(), { random: () => 0, before: 1, only: () => broken });
    const bench = new Bench(store, counter);
    set(bench, 'a', 1);
    set(bench, 'b', 1);
    expect(() => bench.checkpoint()).toThrow(coded('Unavailable'));
    broken = false;
    set(bench, 'b', 2);
    const restored = new Bench(store, counter).restore(bench.checkpoint().snapshot);
    expect([get(restored, 'a'), get(restored, 'b')]).toEqual([1, 2]);
  });

  test('a cancelled checkpoint makes no request, and its entries are in the next one', () => {
    const { store, counts } = counting(createMemoryStore());
    const bench = new Bench(store, counter);
    set(bench, 'a', 1);
    bench.backend.freeze().subscribe().unsubscribe();
    bench.clock.run();
    expect(counts().total).toBe(0);
    const restored = new Bench(store, counter).restore(bench.checkpoint().snapshot);
    expect(get(restored, 'a')).toBe(1);
  });

  test('a cancelled checkpoint is given back in short steps, under what is written and frozen meanwhile', () => {
    const { store, counts } = counting(createMemoryStore());
    const bench = new Bench(store, counter);
    const keys = 20_000;
    const model = new Map<number, number>();
    const write = (key: number, value: number): void => {
      set(bench, key, value);
      model.set(key, value);
    };
    for (let i = 0; i < keys; i++) write(i, i);
    const storing = bench.backend.freeze().subscribe();
    takeTurns(bench.clock, 2);
    storing.unsubscribe();
    const acks: Frozen[] = [];
    let turns = 0;
    const cuts: Map<number, number>[] = [];
    for (; takeTurns(bench.clock, 1) > 0; turns++) {
      for (let i = turns; i < keys; i += 97) write(i, -turns);
      if (turns !== 2 && turns !== 3) continue;
      cuts.push(new Map(model));
      const next = bench.backend.freeze().subscribe((ack) => acks.push(ack));
      if (turns === 2) next.unsubscribe();
    }
    expect(turns).toBeGreaterThan(8);
    expect(counts().requests).toEqual({ put: 1 });
    const [ack] = acks;
    const restored = new Bench(store, counter).restore(ack?.snapshot);
    const [, cut] = cuts;
    expect([...cut!.keys()].filter((key) => get(restored, key) !== cut!.get(key))).toEqual([]);
    const last = new Bench(store, counter).restore(bench.checkpoint().snapshot);
    expect([...model.keys()].filter((key) => get(last, key) !== model.get(key))).toEqual([]);
  });

  test('unsubscribing while what failed to store is given back changes nothing', () => {
    const memory = createMemoryStore();
    let [broken, failed] = [true, false];
    const only = (): boolean => broken && (failed = true);
    const states = { n: valueState(0), m: valueState(0) };
    const bench = new Bench(faulty(memory, { random: () => 0, before: 1, only }), states);
    const keys = Array.from({ length: 3000 }, (_, i) => i);
    for (const key of keys)
      for (const state of ['n', 'm']) bench.with<number>(key, state, (value) => value.set(key));
    const storing = bench.backend.freeze().subscribe({ error: () => undefined });
    while (!failed) takeTurns(bench.clock, 1);
    broken = false;
    takeTurns(bench.clock, 1); // One state is given back, and a part of the other.
    expect(storing.closed).toBe(false);
    storing.unsubscribe();
    const restored = new Bench(memory, states).restore(bench.checkpoint().snapshot);
    const wrong = (state: string): number[] =>
      keys.filter((key) => restored.with<number, number>(key, state, (each) => each.value) !== key);
    expect([wrong('n'), wrong('m')]).toEqual([[], []]);
  });

  test('closing stops everything', () => {
    const { store, counts } = counting(createMemoryStore());
    const bench = new Bench(store, counter);
    set(bench, 'a', 1);
    bench.backend.freeze().subscribe();
    takeTurns(bench.clock, 1);
    bench.backend.close();
    bench.clock.run();
    expect(counts().total).toBe(0);
  });

  test('any number of cleared keys leaves memory in short steps', () => {
    const bench = new Bench(createMemoryStore(), counter);
    const [live] = bench.backend.states;
    const keys = 20_000;
    for (let i = 0; i < keys; i++) set(bench, i, i);
    for (let i = 0; i < keys; i++) bench.with<number>(i, 'n', (n) => n.clear());
    let acked = false;
    bench.backend.freeze().subscribe(() => (acked = true));
    let longest = 0;
    for (let before = keys; takeTurns(bench.clock, 1) > 0; before = live!.size)
      longest = Math.max(longest, before - live!.size);
    expect({ acked, left: live!.size }).toEqual({ acked: true, left: 0 });
    expect(longest).toBeLessThanOrEqual(4096);
  });

  test('closing stops the removal of cleared keys', () => {
    const bench = new Bench(createMemoryStore(), counter);
    const [live] = bench.backend.states;
    for (let i = 0; i < 20_000; i++) set(bench, i, i);
    for (let i = 0; i < 20_000; i++) bench.with<number>(i, 'n', (n) => n.clear());
    bench.backend.freeze().subscribe();
    while (live!.size === 20_000) takeTurns(bench.clock, 1);
    bench.backend.close();
    const { size } = live!;
    expect([takeTurns(bench.clock), live!.size]).toEqual([0, size]);
    expect(size).toBeGreaterThan(0);
  });

  test('state that is never accessed survives any number of snapshots, in few segments', () => {
    const store = createMemoryStore();
    let snapshot: Json | undefined;
    for (let attempt = 0; attempt < 3; attempt++) {
      const bench = new Bench(store, counter);
      if (snapshot === undefined) set(bench, 'untouched', 42);
      else bench.restore(snapshot);
      for (let i = 0; i < 30; i++) {
        set(bench, `k${i}`, attempt);
        snapshot = bench.checkpoint().snapshot;
      }
      expect(segmentsOf(snapshot).length).toBeLessThanOrEqual(4);
    }
    expect(get(new Bench(store, counter).restore(snapshot), 'untouched')).toBe(42);
  });

  test('compaction drops tombstones at the bottom, and its requests are reported separately', () => {
    const bench = new Bench(createMemoryStore(), counter);
    for (let i = 0; i < 4; i++) {
      set(bench, `k${i}`, 1);
      if (i === 3) bench.with('k0', 'n', (n) => n.clear());
      bench.checkpoint();
    }
    expect(bench.backend.segments).toHaveLength(1);
    expect(bench.backend.segments[0]?.cells).toBe(3);
    const compacted = bench.events.filter(({ type }) => type === 'segments-compacted');
    expect(compacted).toEqual([
      expect.objectContaining({ operator: 'op', inputs: 4, entries: 3, requests: 5 }),
    ]);
    const written = bench.events.filter(({ type }) => type === 'segment-written');
    expect(written.map(({ requests }) => requests)).toEqual([1, 1, 1, 1]);
  });

  test('a large merge reads and writes in bounded pieces', () => {
    const { store, counts } = counting(createMemoryStore());
    const bench = new Bench(store, { text: valueState('') });
    // A string that Snappy cannot shrink.
    const text = (): string => randomBytes(1770).toString('base64');
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 2000; i++) bench.with<string>(`${round % 2}-${i}`, 'text', (t) => t.set(text()));
      bench.checkpoint();
    }
    expect(bench.backend.segments).toHaveLength(1);
    expect(bench.backend.segments[0]?.cells).toBe(4000);
    const mean = counts().bytesDown / (counts().requests.get ?? 0);
    expect(counts().requests.get).toBeGreaterThan(8);
    expect(mean).toBeLessThanOrEqual(2 * 1024 * 1024);
  });

  test('the last checkpoint ends a merge at any point: once acked, no request is in flight and none follows', () => {
    const outcomes = new Set<string>();
    for (let turns = 0; turns < 250; turns++) {
      let requests = 0;
      let underWay = 0;
      const memory = createMemoryStore();
      // Every request takes some turns, so that one of a merge outlives the writing of a segment.
      const slow = decorate(
        memory,
        (_, run) =>
          new Observable((out) => {
            let left = requests++ % 3 === 0 ? 1 : 30;
            underWay++;
            const answer = new Subscription(() => underWay--);
            const wait = (): void => {
              answer.add(bench.clock.yield(() => (left-- > 0 ? wait() : answer.add(run.subscribe(out)))));
            };
            wait();
            return answer;
          }),
      );
      const bench: Bench = new Bench(slow, counter);
      for (let i = 0; i < 3; i++) {
        set(bench, `k${i}`, i);
        bench.checkpoint();
      }
      set(bench, 'k3', 3);
      let merging = false;
      bench.backend.freeze().subscribe(() => (merging = true));
      while (!merging) takeTurns(bench.clock, 1);
      takeTurns(bench.clock, turns);
      set(bench, 'k4', 4);
      let ack: Frozen | undefined;
      bench.backend.freeze(true).subscribe((frozen) => (ack = frozen));
      while (ack === undefined) takeTurns(bench.clock, 1);
      expect(underWay).toBe(0);
      const before = requests;
      bench.clock.run();
      expect(requests).toBe(before);
      const restored = new Bench(memory, counter).restore(ack.snapshot);
      expect([0, 1, 2, 3, 4].map((i) => get(restored, `k${i}`))).toEqual([0, 1, 2, 3, 4]);
      outcomes.add(segmentsOf(ack.snapshot).length === 2 ? 'merged' : 'not merged');
    }
    expect([...outcomes].sort()).toEqual(['merged', 'not merged']);
  });

  type Act =
    | { do: 'set'; key: Key; state: 'a' | 'b'; value: unknown }
    | { do: 'clear'; key: Key; state: 'a' | 'b' }
    | { do: 'barrier' }
    | { do: 'cancel' }
    | { do: 'checkpoint' }
    | { do: 'turns'; count: number };
  const state = fc.constantFrom('a' as const, 'b' as const);
  const acts: fc.Arbitrary<Act[]> = fc.array(
    fc.oneof<fc.WeightedArbitrary<Act>[]>(
      {
        weight: 8,
        arbitrary: fc.record({ do: fc.constant('set' as const), key: fewKeys, state, value: valueArbitrary }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('clear' as const), key: fewKeys, state }) },
      { weight: 4, arbitrary: fc.constant({ do: 'barrier' as const }) },
      { weight: 1, arbitrary: fc.constant({ do: 'cancel' as const }) },
      { weight: 4, arbitrary: fc.constant({ do: 'checkpoint' as const }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 8 }) }),
      },
    ),
    { maxLength: 80, size: 'max' },
  );

  test('restoring any ack gives the state at its barrier: snapshot isolation, failures, cancels, compaction', () => {
    let compactions = 0;
    let acked = 0;
    fc.assert(
      fc.property(acts, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (list, start) => {
        let seed = start;
        const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
        let calm = false;
        const memory = createMemoryStore();
        const flaky = faulty(memory, { random, before: 0.1, after: 0.1, only: () => !calm });
        const specs = { a: valueState<unknown>(0), b: valueState<unknown>('none') };
        const bench = new Bench(flaky, specs);
        // By encoded key and state: a copy of what was set.
        const model = new Map<string, { key: Key; state: 'a' | 'b'; value: unknown }>();
        const place = (key: Key, name: string): string =>
          `${Buffer.from(encodeKey(storedKey(key))).toString('hex')} ${name}`;
        const cuts: { snapshot: Json | undefined; model: typeof model }[] = [];
        const barrier = (cancel: boolean): void => {
          const cut = new Map(model);
          const storing = bench.backend.freeze().subscribe({
            next: ({ snapshot }) => cuts.push({ snapshot, model: cut }),
            error: () => undefined,
          });
          if (cancel) storing.unsubscribe();
        };
        for (const act of list) {
          if (act.do === 'set') {
            try {
              bench.with<unknown>(act.key, act.state, (h) => h.set(act.value));
            } catch {
              continue; // `fc.anything` generates values that the serializer rejects, too
            }
            // A restore must give what reading gives now.
            const value = copy(bench.with<unknown, unknown>(act.key, act.state, (h) => h.value));
            model.set(place(act.key, act.state), { key: act.key, state: act.state, value });
            mutate(act.value);
          } else if (act.do === 'clear') {
            bench.with(act.key, act.state, (h) => h.clear());
            model.delete(place(act.key, act.state));
          } else if (act.do === 'turns') takeTurns(bench.clock, act.count);
          else barrier(act.do === 'cancel');
          if (act.do === 'checkpoint') bench.clock.run();
        }
        calm = true;
        bench.clock.run();
        barrier(false);
        bench.clock.run();
        acked += cuts.length;
        compactions += bench.events.filter(({ type }) => type === 'segments-compacted').length;
        expect(cuts.at(-1)?.model).toEqual(model);
        for (const { snapshot, model: expected } of cuts) {
          const restored = new Bench(memory, specs).restore(snapshot);
          let size = 0;
          for (const { key, state: name, value } of expected.values()) {
            size++;
            const read = restored.with<unknown, unknown>(key, name, (h: ValueState<unknown>) => h.value);
            expect(same(read, value)).toBe(true);
          }
          expect(restored.backend.states.reduce((sum, live) => sum + tableOf(live).size, 0)).toBe(size);
        }
      }),
      { numRuns: effort(30, 200), interruptAfterTimeLimit: 60_000 },
    );
    expect(compactions).toBeGreaterThan(effort(3, 20));
    expect(acked).toBeGreaterThan(effort(45, 300));
  });
});

/** Creates objects of this realm, unlike `structuredClone` under Jest. */
const copy = (value: unknown): unknown => messagePack.decode(messagePack.encode(value), 1);

/** Changes everything that can be changed in a value, as a careless user might. */
function mutate(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  try {
    if (value instanceof Date) value.setTime(1);
    else if (value instanceof Map || value instanceof Set) value.clear();
    else if (ArrayBuffer.isView(value)) new Uint8Array(value.buffer).fill(7);
    else (value as Record<string, unknown>)['mutated'] = true;
  } catch {
    // Frozen: as it should be.
  }
}
