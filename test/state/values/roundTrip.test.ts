import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { JsonNumber } from '../../../src/formats/jsonNumbers.js';
import { messagePack, pack, Unstorable, valueState, type Serializer } from '../../../src/state/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Bench, coded } from '../harness.js';
import { effort } from '../../support/effort.js';

/** All kinds of JavaScript values, storable or not. */
const anything = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      maxDepth: 2,
    }),
    fc.string({ unit: 'binary' }),
    fc.constantFrom<unknown>(
      -0,
      NaN,
      '\ud800',
      'a\udc00',
      undefined,
      null,
      2n ** 200n,
      new JsonNumber('1.10'),
    ),
    fc.constantFrom<unknown>(
      new Date(NaN),
      Symbol('s'),
      () => 1,
      new WeakMap(),
      Promise.resolve(),
      /x/,
      new Error('x'),
    ),
    fc.constantFrom<unknown>('x'.match(/(?<y>x)/), Buffer.from('abc'), Object.assign([1], { extra: 2 })),
    fc
      .array(
        fc.tuple(
          fc.constantFrom('a', '__proto__', 'constructor', 'toJSON', '__keys__', '\ud800', 'b'),
          tie('value'),
        ),
      )
      .map((entries) => Object.fromEntries(entries)),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 2 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 2 }),
  ),
})).value;

const specs = { v: valueState<unknown>(null) };

/** Stores and restores `value`. Throws if it was rejected. */
function restored(
  value: unknown,
  states: Readonly<Record<string, ReturnType<typeof valueState<unknown>>>> = specs,
): unknown {
  const store = createMemoryStore();
  const bench = new Bench(store, states);
  bench.with<unknown>('k', 'v', (v) => v.set(value));
  const again = new Bench(store, states).restore(bench.checkpoint().snapshot);
  return again.with<unknown, unknown>('k', 'v', (v) => v.value);
}

test('a value is rejected, or comes back deeply equal', () => {
  fc.assert(
    fc.property(anything, (value) => {
      let back: unknown;
      try {
        back = restored(value);
      } catch (error) {
        const expected = value instanceof Promise ? 'PromiseInFlow' : 'UnsupportedValue';
        expect(error).toMatchObject({ code: expected });
        return;
      }
      expect(isDeepStrictEqual(back, value)).toBe(true);
    }),
    { numRuns: effort(150, 1500), interruptAfterTimeLimit: 60_000 },
  );
});

test('a value without a part that needs a mark is written as if it had been copied with marks', () => {
  fc.assert(
    fc.property(anything, (value) => {
      let bytes: Uint8Array;
      try {
        bytes = pack(value);
      } catch (error) {
        expect(error).toBeInstanceOf(Unstorable);
        return;
      }
      expect(Buffer.compare(bytes, messagePack.encode(value))).toBe(0);
    }),
    { numRuns: effort(300, 3000), interruptAfterTimeLimit: 60_000 },
  );
});

describe('comes back unchanged', () => {
  test.each<[string, unknown]>([
    ['-0', -0],
    ['-0 inside', { a: [-0] }],
    ['NaN and undefined inside', { a: [NaN, undefined] }],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate as a name', { 'x\udc00': ['\ud800'] }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['the name __proto__', JSON.parse('{"__proto__":{"polluted":1},"a":2}')],
    ['the name constructor, and toJSON', { constructor: 'x', toJSON: 'y' }],
    ['the name __keys__', [{ __keys__: [1], a: 2 }, { __keys__: 3 }, {}]],
    ['a Buffer', Buffer.from('abc')],
    ['70,000 names', Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`name ${i}`, i]))],
    ['500 levels', nested(500)],
  ])('%s', (_, value) => {
    expect(isDeepStrictEqual(restored(value), value)).toBe(true);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

test('an awkward name does not corrupt later values', () => {
  for (const value of [[{ __keys__: [1], a: 2 }, { __keys__: 3 }], { a: 1 }, {}])
    expect(restored(value)).toEqual(value);
});

test('a promise is refused as an asynchronous callback', () => {
  expect(() => restored(Promise.resolve(1))).toThrow(coded('PromiseInFlow'));
});

describe('is refused', () => {
  class Money {
    constructor(readonly cents: number) {}
  }
  test.each<[string, unknown, string]>([
    ['a function', { items: [{ fn: () => 1 }] }, 'it holds a function (at .items[0].fn)'],
    ['a symbol', Symbol('s'), 'it is a symbol'],
    ['a promise inside', { a: Promise.resolve(1) }, 'it holds an instance of Promise (at .a)'],
    ['a class instance', new Money(1), 'it is an instance of Money'],
    ['a WeakMap', new WeakMap(), 'it is an instance of WeakMap'],
    ['a regular expression', /x/, 'it is an instance of RegExp'],
    ['an invalid date', [new Date(NaN)], 'it holds an invalid Date (at [0])'],
    ['a symbol as a name', { [Symbol('s')]: 1 }, 'it is an object with a symbol as a name'],
    ['holes', [, 1], 'it is an array with holes'],
    ['a match', 'x'.match(/x/), 'it is an array with extra properties'],
    ['a map with properties', Object.assign(new Map(), { a: 1 }), 'it is a Map with extra properties'],
    ['a subclass', new (class Bytes extends Uint8Array {})(1), 'it is an instance of Bytes'],
    [
      'binary data of another realm',
      runInNewContext('new Uint32Array([1])'),
      'it is an instance of Uint32Array',
    ],
    ['501 levels', nested(501), 'it holds something nested more than 500 deep, or in itself (at .a.a'],
  ])('%s', (_, value, why) => {
    expect(() => restored(value)).toThrow(coded('UnsupportedValue'));
    expect(() => restored(value)).toThrow(
      `State v of operator op cannot hold what is set for key "k": ${why}`,
    );
  });

  test('a value with too many paths to inspect, because its parts are shared', () => {
    let value: unknown = 1;
    for (let i = 0; i < 60; i++) value = [value, value];
    const refuse = (): unknown => restored(value);
    expect(runInNewContext('code(refuse)', { refuse, code }, { timeout: 60_000 })).toBe('UnsupportedValue');
  });

  test('the error shows the key, truncated and without control characters', () => {
    const bench = new Bench(createMemoryStore(), specs);
    const set = (key: string | [string, bigint]): unknown => bench.with(key, 'v', (v) => v.set(Symbol('s')));
    expect(() => set(`\u001b[31m${'x'.repeat(200)}`)).toThrow(`key "\\u001b[31m${'x'.repeat(69)}…: it`);
    expect(() => set(['a', 5n])).toThrow('key ["a","5n"]: it');
  });

  test('it is in no checkpoint: the previous value stays', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, specs);
    bench.with<unknown>('k', 'v', (v) => v.set(1));
    expect(() => bench.with<unknown>('k', 'v', (v) => v.set([new Map([[1, () => 1]])]))).toThrow();
    const again = new Bench(store, specs).restore(bench.checkpoint().snapshot);
    expect(again.with<unknown, unknown>('k', 'v', (v) => v.value)).toBe(1);
  });
});

describe('a custom serializer', () => {
  const json: Serializer<unknown> = {
    id: 'json',
    version: 1,
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
  };
  const states = (serializer: Serializer<unknown>) => ({ v: valueState<unknown>(null, { serializer }) });

  test('values that it preserves are accepted', () => {
    expect(restored({ a: [1, 'x', null] }, states(json))).toEqual({ a: [1, 'x', null] });
  });

  test.each<[string, unknown]>([
    ['NaN', NaN],
    ['NaN inside', { a: NaN }],
    ['undefined inside', { a: undefined }],
    ['undefined', undefined],
    ['a date', new Date(5)],
    ['a map', new Map([[1, 2]])],
    ['a class instance', new Error('x')],
    ['a bigint', 5n],
    ['a function', () => 1],
  ])('what it loses is refused: %s', (_, value) => {
    expect(() => restored(value, states(json))).toThrow(coded('UnsupportedValue'));
    expect(() => restored(value, states(json))).toThrow(
      /State v of operator op .* key "k": .* serializer json/,
    );
  });

  test('a result that is not bytes is rejected', () => {
    const text = { ...json, encode: (value: unknown) => JSON.stringify(value) as never };
    expect(() => restored(1, states(text))).toThrow(coded('UnsupportedValue'));
  });

  test('`equals` decides what is accepted', () => {
    class Counter {
      readonly label = (): string => `${this.n}`;
      constructor(readonly n: number) {}
    }
    const counter: Serializer<Counter> = {
      id: 'counter',
      version: 1,
      encode: ({ n }) => Buffer.from(String(n)),
      decode: (bytes) => new Counter(Number(Buffer.from(bytes).toString())),
    };
    const of = (serializer: Serializer<Counter>) =>
      ({ v: valueState(new Counter(0), { serializer }) }) as never;
    expect(() => of(counter)).toThrow(coded('UnsupportedValue'));
    const back = restored(new Counter(5), of({ ...counter, equals: (a, b) => a.n === b.n })) as Counter;
    expect(back.label()).toBe('5');
  });

  test.each([{ id: '' }, { id: 'msgpackr' }, { version: 1.5 }, { encode: undefined }])(
    '%j is not a serializer',
    (wrong) => {
      expect(() => valueState<unknown>(1, { serializer: { ...json, ...wrong } as never })).toThrow(
        coded('InvalidState'),
      );
    },
  );
});

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = { a: value };
  return value;
}

function code(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}
