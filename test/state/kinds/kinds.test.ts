import { absent } from '../../../src/state/cells.js';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  timers,
  valueState,
} from '../../../src/state/kinds/index.js';
import { storedKey, type Key } from '../../../src/state/keys/keys.js';
import type { StateHome, StateSpec } from '../../../src/state/state.js';
import type { Serializer } from '../../../src/state/values/serializer.js';
import { coded } from '../harness.js';

/** A state in the turn of key `k`. */
function turn<H>(spec: StateSpec<H>) {
  const live = spec.open('s');
  live.at(storedKey('k'));
  return { live, handle: live.handle };
}

const mean = aggregatingState({
  create: () => ({ sum: 0, count: 0 }),
  add: ({ sum, count }, n: number) => ({ sum: sum + n, count: count + 1 }),
  result: ({ sum, count }) => sum / count,
});

describe('listState', () => {
  test('appends, reads from both ends, replaces, clears', () => {
    const { handle } = turn(listState<number>());
    expect([handle.length, handle.at(0), handle.toArray()]).toEqual([0, undefined, []]);
    handle.append(1, 2);
    handle.append(3);
    expect([handle.length, handle.at(0), handle.at(-1), handle.at(3), handle.at(-4)]).toEqual([
      3,
      1,
      3,
      undefined,
      undefined,
    ]);
    handle.set([7, 8]);
    expect([...handle]).toEqual([7, 8]);
    handle.clear();
    expect(handle.length).toBe(0);
    handle.append(9);
    expect(handle.toArray()).toEqual([9]);
  });

  test('an iteration sees the elements that the list had when it began', () => {
    const { handle } = turn(listState<number>());
    handle.append(1, 2);
    const seen: number[] = [];
    for (const n of handle) {
      seen.push(n);
      if (n === 1) handle.append(3);
      if (n === 2) handle.set([4]);
    }
    expect(seen).toEqual([1, 2]);
    expect(handle.toArray()).toEqual([4]);
    handle.set(handle);
    expect(handle.toArray()).toEqual([4]);
  });

  test('append stores all of its elements or none', () => {
    const { handle } = turn(listState<unknown>());
    expect(() => {
      handle.append(1, Symbol('s'));
    }).toThrow(coded('UnsupportedValue'));
    expect(handle.length).toBe(0);
  });

  test('elements are isolated: objects are frozen, others copied', () => {
    const { handle } = turn(listState<unknown>());
    const date = new Date(5);
    const object = { a: [1] };
    handle.append(date, object);
    date.setTime(6);
    expect(() => object.a.push(2)).toThrow(TypeError);
    (handle.at(0) as Date).setTime(7);
    handle.toArray().length = 0;
    expect(handle.toArray()).toEqual([new Date(5), { a: [1] }]);
  });
});

describe('mapState', () => {
  test('names are compared as keys are', () => {
    const { handle } = turn(mapState<Key, number>());
    handle.set(1, 1);
    handle.set('1', 2);
    handle.set(['a', { x: 1, y: 2 }], 3);
    expect([handle.get(1), handle.get('1'), handle.get(['a', { y: 2, x: 1 }]), handle.get(null)]).toEqual([
      1,
      2,
      3,
      undefined,
    ]);
    expect(handle.size).toBe(3);
    expect([...handle.keys()]).toEqual([1, '1', ['a', { x: 1, y: 2 }]]);
    expect([...handle.values()]).toEqual([1, 2, 3]);
  });

  test('undefined is a value; size follows every change', () => {
    const { handle } = turn(mapState<string, number | undefined>());
    handle.set('a', undefined);
    expect([handle.has('a'), handle.size]).toEqual([true, 1]);
    expect([handle.delete('a'), handle.delete('a'), handle.has('a'), handle.size]).toEqual([
      true,
      false,
      false,
      0,
    ]);
    handle.set('a', 1);
    handle.set('a', 2);
    handle.update('b', (n = 5) => n + 1);
    expect([handle.size, [...handle]]).toEqual([
      2,
      [
        ['a', 2],
        ['b', 6],
      ],
    ]);
    handle.clear();
    expect([handle.size, [...handle]]).toEqual([0, []]);
  });

  test('changes during an iteration', () => {
    const { handle } = turn(mapState<string, number>());
    for (const name of ['a', 'b', 'c']) handle.set(name, 0);
    const seen: string[] = [];
    for (const name of handle.keys()) {
      seen.push(name);
      handle.delete('b');
      if (name === 'a') {
        handle.delete('a');
        handle.set('a', 1);
      }
    }
    expect(seen).toEqual(['a', 'c']);
  });

  test('a name or value that is refused leaves nothing', () => {
    const { live, handle } = turn(mapState<Key, unknown>());
    expect(() => {
      handle.set(new Map() as never, 1);
    }).toThrow(coded('UnsupportedKey'));
    expect(() => {
      handle.set('a', Symbol('s'));
    }).toThrow(coded('UnsupportedValue'));
    expect([handle.size, live.freeze().size]).toEqual([0, 0]);
  });
});

describe('reducingState and aggregatingState', () => {
  test('reduce and aggregate what was added', () => {
    const { handle: highest } = turn(reducingState((a: number, b: number) => Math.max(a, b)));
    expect(highest.value).toBeUndefined();
    expect([highest.add(3), highest.add(1), highest.value]).toEqual([3, 3, 3]);
    highest.clear();
    expect([highest.value, highest.add(1)]).toEqual([undefined, 1]);
    const { handle } = turn(mean);
    expect(handle.value).toBeUndefined();
    handle.add(1);
    handle.add(4);
    expect(handle.value).toBe(2.5);
  });

  test('an accumulator that is changed in place is an error', () => {
    const wrong = aggregatingState({
      create: () => ({ sum: 0 }),
      add: (all, n: number) => Object.assign(all, { sum: all.sum + n }),
      result: ({ sum }) => sum,
    });
    const { handle } = turn(wrong);
    handle.add(1);
    expect(() => {
      handle.add(1);
    }).toThrow(TypeError);
  });

  test.each<[() => unknown, string]>([
    [() => reducingState(undefined as never), 'InvalidOption'],
    [() => aggregatingState({ create: 1 } as never), 'InvalidOption'],
    [() => timers('never' as never), 'InvalidState'],
  ])('%s is %s', (declare, code) => {
    expect(declare).toThrow(coded(code));
  });
});

describe('timers', () => {
  test('there is one per time and namespace; setting one tells whether it is the earliest of all keys', () => {
    const { live, handle } = turn(timers('event'));
    expect([
      handle.set(5),
      handle.set(5),
      handle.set(7),
      handle.set(new Date(3)),
      handle.set(4, 'w'),
    ]).toEqual([true, false, false, true, false]);
    live.leave();
    live.at('other');
    expect(handle.set(2, 'w')).toBe(true);
    expect(handle.pending()).toEqual([{ at: 2, namespace: 'w' }]);
    const due = [];
    for (let { next } = live.timers!; next !== Infinity; { next } = live.timers!)
      due.push(live.timers!.take());
    expect(due).toEqual([
      { key: 'other', at: 2, namespace: 'w' },
      { key: 'k', at: 3, namespace: undefined },
      { key: 'k', at: 4, namespace: 'w' },
      { key: 'k', at: 5, namespace: undefined },
      { key: 'k', at: 7, namespace: undefined },
    ]);
  });

  test('clearing', () => {
    const { live, handle } = turn(timers('processing'));
    handle.set(1);
    handle.set(2);
    expect([handle.clear(1), handle.clear(1), handle.clear(9)]).toEqual([true, false, false]);
    expect(live.timers!.next).toBe(2);
    handle.set(1);
    expect(live.timers!.next).toBe(1);
  });

  test.each([NaN, Infinity, new Date(NaN)])('%s is no time', (at) => {
    const { handle } = turn(timers('event'));
    expect(() => handle.set(at)).toThrow(coded('UnsupportedValue'));
  });
});

describe('every kind', () => {
  const kinds: readonly (readonly [
    string,
    StateSpec<never>,
    (handle: never) => void,
    (handle: never) => unknown,
  ])[] = [
    kind(
      'value',
      valueState(0),
      (v) => {
        v.set(1);
      },
      (v) => v.value,
    ),
    kind(
      'list',
      listState<number>(),
      (v) => {
        v.append(1);
      },
      (v) => v.toArray(),
    ),
    kind(
      'map',
      mapState<string, number>(),
      (v) => {
        v.set('a', 1);
      },
      (v) => v.get('a'),
    ),
    kind(
      'reducing',
      reducingState((a: number, b: number) => a + b),
      (v) => {
        v.add(1);
      },
      (v) => v.value,
    ),
    kind(
      'aggregating',
      mean,
      (v) => {
        v.add(1);
      },
      (v) => v.value,
    ),
    kind(
      'timers',
      timers('event'),
      (v) => {
        v.set(1);
      },
      (v) => v.pending(),
    ),
  ];

  test.each(kinds)(
    '%s: the handle is unusable outside a turn, and in the next one it is empty',
    (_, spec, change, read) => {
      const { live, handle } = turn(spec);
      const nothing = read(handle);
      change(handle);
      expect(read(handle)).not.toEqual(nothing);
      live.leave();
      expect(() => read(handle)).toThrow(coded('StateOutsideTurn'));
      expect(() => {
        change(handle);
      }).toThrow(coded('StateOutsideTurn'));
      live.at('other');
      expect(read(handle)).toEqual(nothing);
    },
  );

  test.each(kinds.filter(([name]) => name !== 'timers'))(
    '%s: namespaces are apart, and their handles end with the turn',
    (_, spec, change, read) => {
      const { live, handle } = turn(spec as StateSpec<{ in(namespace: Key): never }>);
      const nothing = read(handle as never);
      const [a, again, b] = [handle.in('a'), handle.in('a'), handle.in('b')];
      expect(read(again)).toEqual(nothing);
      change(a);
      expect(read(again)).toEqual(read(a));
      expect(read(again)).not.toEqual(nothing);
      expect([read(handle as never), read(b)]).toEqual([nothing, nothing]);
      change(again);
      expect(live.freeze().size).toBe(1);
      live.leave();
      expect(() => read(a)).toThrow(coded('StateOutsideTurn'));
      live.at('k');
      expect(read(handle.in('a'))).not.toEqual(nothing);
    },
  );

  test.each([false, true])('what a serializer refuses is refused when it is set, if early is %s', (early) => {
    const serializer: Serializer<number> = {
      id: 'natural',
      version: 1,
      encode: (n) => {
        if (n < 0) throw new RangeError('negative');
        return Uint8Array.of(n);
      },
      decode: ([n = 0]) => n,
    };
    const home: StateHome = { operator: 'op', early, now: () => 0, settled: () => 0 };
    const value = valueState(0, { serializer }).open('s', home);
    const list = listState({ serializer }).open('s', home);
    const map = mapState<string, number>({ serializer }).open('s', home);
    for (const live of [value, list, map]) live.at(storedKey('k'));
    const writes = [
      (n: number) => {
        value.handle.set(n);
      },
      (n: number) => {
        list.handle.append(n);
      },
      (n: number) => {
        map.handle.set('a', n);
      },
    ];
    for (const write of writes) {
      write(1);
      if (early) expect(() => write(-1)).toThrow(coded('UnsupportedValue'));
      else expect(() => write(-1)).not.toThrow();
    }
  });

  test.each(kinds)(
    '%s: what was cleared leaves memory once its tombstone is stored',
    (name, spec, change) => {
      const { live, handle } = turn(spec);
      change(handle);
      const cells = live.freeze();
      for (let i = 0; i < cells.size; i++) cells.read(i);
      cells.stored();
      if (name === 'timers') live.timers?.take();
      else (handle as { clear(): void }).clear();
      const cleared = live.freeze();
      expect([cleared.size, cleared.read(0)]).toEqual([1, absent]);
      cleared.stored();
      expect(live.size).toBe(1);
      expect(cleared.removeCleared(10)).toBe(1);
      expect([live.size, live.freeze().size]).toEqual([0, 0]);
      change(handle);
      expect(live.freeze().size).toBe(1);
    },
  );

  test('the result of an update of a map replaces what its callback does to the entry', () => {
    const { handle: map } = turn(mapState<string, number>());
    map.update('a', () => {
      map.set('a', 5);
      return 1;
    });
    expect([...map]).toEqual([['a', 1]]);
    map.update('a', (n = 0) => {
      map.delete('a');
      return n + 1;
    });
    expect([[...map], map.size]).toEqual([[['a', 2]], 1]);
  });

  test('handles of collections cannot be iterated beyond the turn', () => {
    const { live, handle } = turn(mapState<string, number>());
    handle.set('a', 1);
    const entries = handle.entries()[Symbol.iterator]();
    live.leave();
    expect(() => entries.next()).toThrow(coded('StateOutsideTurn'));
  });
});

function kind<H>(
  name: string,
  spec: StateSpec<H>,
  change: (handle: H) => void,
  read: (handle: H) => unknown,
): readonly [string, StateSpec<never>, (handle: never) => void, (handle: never) => unknown] {
  return [name, spec as StateSpec<never>, change, read];
}

test.each<[string, () => unknown]>([
  ['A namespace of state s is of type symbol', () => turn(valueState(0)).handle.in(Symbol() as never)],
  ['A namespace of state s is an invalid date', () => turn(listState()).handle.in(new Date(NaN))],
  [
    'A namespace of state s is of type function',
    () => turn(timers('event')).handle.set(1, (() => 1) as never),
  ],
  [
    'The name of an entry of state s is of type undefined',
    () => turn(mapState()).handle.set(undefined as never, 1),
  ],
])('a key that is none is named: %s', (message, use) => {
  expect(use).toThrow(coded('UnsupportedKey'));
  expect(use).toThrow(message);
  expect(use).toThrow(/: pass one of them\.$/);
});
