import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  timers,
  valueState,
  type Handles,
  type Key,
  type Serializer,
  type StateSpecs,
} from '../../../src/state/index.js';
import { storedKey } from '../../../src/state/keys/keys.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Bench, coded } from '../harness.js';

/** Changes everything that can be reached of a value. What is frozen cannot be changed. */
function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (ArrayBuffer.isView(value)) {
    new Uint8Array(value.buffer, value.byteOffset, value.byteLength).fill(255);
    return;
  }
  const parts: readonly unknown[] =
    value instanceof Map || value instanceof Set ? [...value].flat() : Object.values(value);
  for (const part of parts) spoil(part);
  const attempts: readonly (() => unknown)[] = [
    () => value instanceof Date && value.setTime(666),
    () => (value instanceof Map || value instanceof Set) && value.clear(),
    () => Array.isArray(value) && value.push('spoiled'),
    () => Array.isArray(value) && (value[0] = 'spoiled'),
    () => Object.assign(value, { spoiled: true }),
    ...Object.keys(value).map((name) => () => Object.assign(value, { [name]: 'spoiled' })),
  ];
  for (const attempt of attempts)
    try {
      attempt();
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
}

/** An object whose content can be changed however frozen it is. */
function accessor(): object {
  let hidden = 1;
  return {
    a: 'x',
    get n(): unknown {
      return hidden;
    },
    set n(n) {
      hidden = n as number;
    },
  };
}

const values: readonly (readonly [string, () => unknown])[] = [
  ['an object', () => ({ a: [1, { b: 2 }], c: { d: 'x' } })],
  ['an array', () => [1, [2, [3]]]],
  ['an object with a getter', accessor],
  ['such an object in others', () => ({ of: [accessor()] })],
  ['a date', () => new Date(5)],
  ['a map', () => new Map<string, unknown>([['k', { x: [1] }]])],
  ['a set', () => new Set<unknown>([[1], 'x'])],
  ['a Buffer', () => Buffer.from('abc')],
  ['a typed array', () => Uint8Array.of(1, 2)],
  [
    'an object of all of them',
    () => ({ on: new Date(5), raw: Uint8Array.of(1), of: new Map([['a', [1]]]), n: [-0] }),
  ],
];

/** A serializer that keeps what it is given, and returns it. */
const bare: Serializer<unknown> = {
  id: 'bare',
  version: 1,
  encode: (value) => value as Uint8Array,
  decode: (bytes) => bytes,
};
/** A serializer that always writes into one buffer. */
const shared = Buffer.alloc(3);
const frugal: Serializer<unknown> = {
  id: 'frugal',
  version: 1,
  encode: (value) => {
    shared.set(value as Uint8Array);
    return shared;
  },
  decode: (bytes) => Uint8Array.from(bytes),
};

/** A kind: how to put a value into it, every way by which one comes out, and the value that it holds. */
interface Way<S extends StateSpecs> {
  readonly specs: (serializer?: Serializer<unknown>) => S;
  readonly put: (handles: Handles<S>, value: unknown) => void;
  readonly out: (handles: Handles<S>) => readonly unknown[];
  readonly held: (handles: Handles<S>) => unknown;
}

const way = <S extends StateSpecs>(of: Way<S>): Way<StateSpecs> => of as unknown as Way<StateSpecs>;
const withSerializer = (serializer?: Serializer<unknown>) => (serializer === undefined ? {} : { serializer });

/** What callbacks of the kinds were given, and have returned. */
const seen: unknown[] = [];
const noted = <V>(...those: readonly V[]): V => {
  seen.push(...those);
  return those[0] as V;
};

const ways: readonly (readonly [string, Way<StateSpecs>])[] = [
  [
    'value',
    way({
      specs: (s) => ({ v: valueState<unknown>(null, withSerializer(s)) }),
      put: ({ v }, value) => v.set(value),
      out: ({ v }) => [v.value, v.update((value) => noted(value))],
      held: ({ v }) => v.value,
    }),
  ],
  [
    'list',
    way({
      specs: (s) => ({ v: listState<unknown>(withSerializer(s)) }),
      put: ({ v }, value) => {
        const elements = [value];
        v.set(elements);
        v.append(...elements);
        elements.push('spoiled');
      },
      out: ({ v }) => [v.at(0), v.toArray(), [...v], ...v],
      held: ({ v }) => v.toArray()[1],
    }),
  ],
  [
    'map',
    way({
      specs: (s) => ({ v: mapState<Key, unknown>(withSerializer(s)) }),
      put: ({ v }, value) => {
        const name = ['x', { y: [1] }];
        v.set(name, value);
        spoil(name);
      },
      out: ({ v }) => [
        v.get(['x', { y: [1] }]),
        v.update(['x', { y: [1] }], (value) => noted(value)),
        ...v.keys(),
        ...v.values(),
        ...v.entries(),
        ...v,
      ],
      held: ({ v }) =>
        [...v].flatMap(([name, value]) => (JSON.stringify(name) === '["x",{"y":[1]}]' ? [value] : []))[0],
    }),
  ],
  [
    'reducing',
    way({
      specs: (s) => ({
        v: reducingState<unknown>((before, value) => noted(before, value), withSerializer(s)),
      }),
      put: ({ v }, value) => {
        v.clear();
        noted(v.add(value));
      },
      out: ({ v }) => [v.value, v.add(Uint8Array.of(7, 7, 7))],
      held: ({ v }) => v.value,
    }),
  ],
  [
    'aggregating',
    way({
      specs: (s) => ({
        v: aggregatingState<unknown, unknown, unknown>(
          {
            create: () => noted(null),
            add: (before, value) => noted(value ?? before, before),
            result: (accumulator) => noted(accumulator),
          },
          withSerializer(s),
        ),
      }),
      put: ({ v }, value) => {
        v.add(value);
      },
      out: ({ v }) => {
        v.add(undefined);
        return [v.value];
      },
      held: ({ v }) => v.value,
    }),
  ],
];

describe.each(ways)('%s: what was passed in, or came out, can be changed without an effect', (_, kind) => {
  const { specs, put, out, held } = kind;
  const check = (make: () => unknown, serializer?: Serializer<unknown>): void => {
    const store = createMemoryStore();
    const states = specs(serializer);
    const bench = new Bench(store, states);
    const turn = <R>(of: Bench, work: (handles: Handles<StateSpecs>) => R): R => {
      of.backend.at(storedKey('k'));
      const result = work(of.backend.handles);
      of.backend.leave();
      return result;
    };
    const spoilAll = (of: Bench): void => {
      seen.length = 0;
      const found = turn(of, out);
      for (const each of [...found, ...seen]) spoil(each);
    };
    const mine = make();
    seen.length = 0;
    turn(bench, (handles) => {
      put(handles, mine);
    });
    for (const each of [mine, ...seen]) spoil(each);
    shared.fill(0);
    expect(turn(bench, held)).toEqual(make());
    spoilAll(bench);
    expect(turn(bench, held)).toEqual(make());

    // Frozen, not yet stored.
    let snapshot: unknown;
    const stored = bench.backend.freeze();
    spoilAll(bench);
    stored.subscribe((ack) => (snapshot = ack.snapshot));
    spoilAll(bench);
    bench.clock.run();
    for (const each of [snapshot, bench.checkpoint().snapshot]) {
      const again = new Bench(store, states).restore(each as never);
      expect(turn(again, held)).toEqual(make());
      spoilAll(again);
      expect(turn(again, held)).toEqual(make());
    }
  };

  test.each(values)('%s', (__, make) => {
    check(make);
  });

  test('bytes, of a serializer that returns what it is given', () => {
    check(() => Uint8Array.of(1, 2, 3), bare);
  });

  test('bytes, of a serializer that always writes into one buffer', () => {
    check(() => Uint8Array.of(1, 2, 3), frugal);
  });
});

test('the initial value, and what a read returned of it', () => {
  for (const [, make] of values) {
    const initial = make();
    const live = valueState(initial).open('v');
    spoil(initial);
    for (let i = 0; i < 2; i++) {
      live.at('k');
      expect(live.handle.value).toEqual(make());
      spoil(live.handle.value);
      live.leave();
    }
  }
});

describe('keys, namespaces and times', () => {
  const specs = {
    n: valueState(0),
    sum: reducingState<number>((a, b) => a + b),
    all: aggregatingState({ create: () => 0, add: (a: number, b: number) => a + b, result: (a) => a }),
    list: listState<number>(),
    map: mapState<Key, number>(),
    due: timers('event'),
  };
  const key = (): Key => ['k', { on: new Date(5), of: [1, 'x'] }];
  const namespace = (): Key => [{ from: new Date(7) }, 2];
  const at = <R>(bench: Bench, work: (handles: Handles<typeof specs>) => R): R => {
    bench.backend.at(storedKey(key()));
    const result = work(bench.backend.handles as Handles<typeof specs>);
    bench.backend.leave();
    return result;
  };
  const held = (bench: Bench): unknown =>
    at(bench, ({ n, sum, all, list, map, due }) => [
      n.in(namespace()).value,
      sum.in(namespace()).value,
      all.in(namespace()).value,
      list.in(namespace()).toArray(),
      [...map.in(namespace())],
      due.pending(),
    ]);

  test('may be changed once they were passed, and where they came out', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, specs);
    const [mine, space, time] = [key(), namespace(), new Date(9)];
    bench.backend.at(storedKey(mine));
    spoil(mine);
    const { n, sum, all, list, map, due } = bench.backend.handles as Handles<typeof specs>;
    due.set(time, space);
    const inSpace = [n.in(space), sum.in(space), all.in(space), list.in(space), map.in(space)] as const;
    spoil(space);
    spoil(time);
    inSpace[0].set(1);
    inSpace[1].add(2);
    inSpace[2].add(3);
    inSpace[3].append(4);
    const name = namespace();
    inSpace[4].set(name, 5);
    spoil(name);
    bench.backend.leave();
    const right = [1, 2, 3, [4], [[namespace(), 5]], [{ at: 9, namespace: namespace() }]];
    expect(held(bench)).toEqual(right);
    spoil(held(bench));
    expect(held(bench)).toEqual(right);
    const again = new Bench(store, specs).restore(bench.checkpoint().snapshot);
    expect(held(again)).toEqual(right);
    spoil(held(again));
    expect(held(again)).toEqual(right);
    const queue = again.backend.timers[0]![1];
    expect(queue.take()).toEqual({ key: storedKey(key()), at: 9, namespace: namespace() });
  });

  test.each<[string, unknown]>([
    ['a Buffer', Buffer.from('k')],
    ['a typed array', Uint8Array.of(1)],
    ['an array with one', ['k', Buffer.from('k')]],
  ])('%s, which could be changed, is none of them', (_, bytes) => {
    const bench = new Bench(createMemoryStore(), specs);
    const refused = coded('UnsupportedKey');
    expect(() => storedKey(bytes as never)).toThrow(refused);
    at(bench, ({ n, sum, all, list, map, due }) => {
      for (const handle of [n, sum, all, list, map]) expect(() => handle.in(bytes as never)).toThrow(refused);
      expect(() => {
        map.set(bytes as never, 1);
      }).toThrow(refused);
      expect(() => due.set(1, bytes as never)).toThrow(refused);
    });
    expect(bench.backend.states.map(({ size }) => size)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
