import fc from 'fast-check';
import { JsonNumber } from '../../../src/formats/jsonNumbers.js';
import { keysOf, valueState, type Serializer } from '../../../src/state/index.js';
import { storedKey, type Key } from '../../../src/state/keys/keys.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { valueArbitrary } from '../arbitraries.js';
import { Bench, coded, same, tableOf } from '../harness.js';
import { effort } from '../../support/effort.js';

function at<T>(initial: T, serializer?: Serializer<T>) {
  const live = valueState(initial, serializer === undefined ? {} : { serializer }).open('s');
  live.at(storedKey('k'));
  return { live, handle: live.handle };
}

class Money {
  constructor(readonly cents: number) {}
}
const money: Serializer<Money> = {
  id: 'money',
  version: 1,
  encode: (m) => Buffer.from(String(m.cents)),
  decode: (bytes) => new Money(Number(Buffer.from(bytes).toString())),
};

describe('valueState', () => {
  test('is the initial value until it is set, and again once it is cleared', () => {
    const { handle } = at(1);
    expect(handle.value).toBe(1);
    handle.set(2);
    expect(handle.value).toBe(2);
    handle.clear();
    expect(handle.value).toBe(1);
    expect(handle.update((n) => n + 1)).toBe(2);
  });

  test('undefined and null are values', () => {
    const { handle } = at<string | null | undefined>('initial');
    handle.set(undefined);
    expect(handle.value).toBeUndefined();
    handle.set(null);
    expect(handle.value).toBeNull();
  });

  test('numbers stay unchanged', () => {
    const { handle } = at(1);
    for (const n of [0, -0, 1, -1, 0.5, 2 ** 53, -(2 ** 31), NaN, Infinity, -Infinity, Number.MIN_VALUE]) {
      handle.set(n);
      expect(handle.value).toBe(n);
    }
  });

  test('a set inside update does not interfere with it', () => {
    const { live, handle } = at(0);
    handle.update((n) => {
      handle.set(5);
      return n + 1;
    });
    expect(handle.value).toBe(1);
    expect(live.freeze().size).toBe(1);
  });

  test('keys are distinct: 1 and "1", and composites by content', () => {
    const { live, handle } = at('none');
    for (const key of [1, '1', { a: 1, b: 2 }, [1], true, 'true'] as const) {
      live.at(storedKey(key));
      handle.set(JSON.stringify(key));
    }
    live.at(storedKey({ b: 2, a: 1 }));
    expect(handle.value).toBe('{"a":1,"b":2}');
    live.at('1');
    expect(handle.value).toBe('"1"');
  });

  test('cannot be used after the turn of its record', () => {
    const { live, handle } = at(0);
    live.leave();
    const outside = coded('StateOutsideTurn');
    expect(() => handle.value).toThrow(outside);
    expect(() => handle.set(1)).toThrow(outside);
    expect(() => handle.update((n) => n)).toThrow(outside);
    expect(() => handle.clear()).toThrow(outside);
    live.at('unknown');
    live.leave();
    expect(() => handle.value).toThrow(outside);
    expect(() => handle.set(1)).toThrow(outside);
  });

  test('a turn does not see the previous one', () => {
    const { live, handle } = at(0);
    handle.set(1);
    live.at('other');
    expect(handle.value).toBe(0);
    handle.set(2);
    live.at('k');
    expect(handle.value).toBe(1);
    expect(tableOf(live).size).toBe(2);
  });

  test('a value that is set outside a turn is not changed', () => {
    const { live } = at<{ n: number }>({ n: 0 });
    live.leave();
    const mine = { n: 1 };
    expect(() => live.handle.set(mine)).toThrow(coded('StateOutsideTurn'));
    expect(Object.isFrozen(mine)).toBe(false);
  });

  test('objects are deeply frozen in place', () => {
    const { handle } = at<{ list: { n: number }[] }>({ list: [] });
    const mine = { list: [{ n: 1 }] };
    handle.set(mine);
    expect(() => (mine.list[0]!.n = 2)).toThrow(TypeError);
    expect(() => handle.value.list.push({ n: 3 })).toThrow(TypeError);
  });

  test('what cannot be frozen is copied, in and out', () => {
    const { handle } = at(new Map<string, Date>());
    const mine = new Map([['a', new Date(1)]]);
    handle.set(mine);
    mine.clear();
    handle.value.clear();
    handle.value.get('a')?.setTime(9);
    expect(handle.value.get('a')?.getTime()).toBe(1);
  });

  test('the initial value is isolated, too', () => {
    const { handle } = at(new Set([1]));
    handle.value.add(2);
    expect(handle.value.size).toBe(1);
  });

  test('numbers beyond double precision come back from a segment exactly', () => {
    const value = {
      id: 2n ** 64n,
      of: [new JsonNumber('1.20000000000000000000000000005'), -(2n ** 63n), 2n ** 200n],
    };
    const store = createMemoryStore();
    const specs = { v: valueState<unknown>(undefined) };
    const bench = new Bench(store, specs);
    bench.with<unknown>('k', 'v', (v) => v.set(value));
    expect(bench.with<unknown, unknown>('k', 'v', (v) => v.value)).toBe(value);
    const restored = new Bench(store, specs).restore(bench.checkpoint().snapshot);
    expect(restored.with<unknown, unknown>('k', 'v', (v) => v.value)).toEqual(value);
  });

  test('class instances work with a custom serializer', () => {
    const { handle } = at(new Money(0), money);
    handle.set(new Money(5));
    expect(handle.value).toBeInstanceOf(Money);
    const store = createMemoryStore();
    const specs = { m: valueState(new Money(0), { serializer: money }) };
    const bench = new Bench(store, specs);
    bench.with<Money>('k', 'm', (m) => m.set(new Money(7)));
    const restored = new Bench(store, specs).restore(bench.checkpoint().snapshot);
    expect(restored.with<Money, Money>('k', 'm', (m) => m.value)).toEqual(new Money(7));
  });

  test('a serializer needs a version from 1', () => {
    expect(() => valueState(new Money(0), { serializer: { ...money, version: 0 } })).toThrow(
      coded('InvalidState'),
    );
  });

  test('every accepted value comes back from a checkpoint unchanged', () => {
    fc.assert(
      fc.property(fc.array(valueArbitrary, { maxLength: 10 }), (values) => {
        const store = createMemoryStore();
        const specs = { v: valueState<unknown>('initial') };
        const bench = new Bench(store, specs);
        values.forEach((value, i) => {
          try {
            bench.with<unknown>(i, 'v', (v) => v.set(value));
          } catch (error) {
            expect(error).toMatchObject({ code: 'UnsupportedValue' });
          }
        });
        const before = values.map((_, i) => bench.with<unknown, unknown>(i, 'v', (v) => v.value));
        const restored = new Bench(store, specs).restore(bench.checkpoint().snapshot);
        const after = values.map((_, i) => restored.with<unknown, unknown>(i, 'v', (v) => v.value));
        expect(same(after, before)).toBe(true);
      }),
      { numRuns: effort(150, 500), interruptAfterTimeLimit: 60_000 },
    );
  });
});

test('keysOf returns the keys that have a value, in an order that depends on nothing but the keys', () => {
  const keys = ['b', 'a', 2, 1, 10n, true, null, ['a', 2], ['a', 1]];
  const orderOf = (inserted: readonly Key[]): readonly Key[] => {
    const live = valueState(0).open('n');
    for (const key of inserted) {
      live.at(storedKey(key));
      live.handle.set(1);
      live.handle.in('w').set(1);
      live.leave();
    }
    live.at('cleared');
    live.handle.in('w').set(1);
    live.leave();
    return [...keysOf(live.handle)].flat();
  };
  const order = orderOf(keys);
  expect(order).toHaveLength(keys.length);
  expect(orderOf(keys.toReversed())).toEqual(order);
});
