import { expectTypeOf } from 'expect-type';
import * as rxjs from 'rxjs';
import * as millrace from '../../src/index.js';
import type { Flow } from '../../src/index.js';
import { createMemoryStore, createStores, listAll } from '../../src/entries/stores.js';
import { exampleOf, runExample } from '../docs/program.js';

const { countByKey, distinctByKey, joinByKey, latestByKey, reduceByKey, scanByKey, scanState } = millrace;

const key = (n: number) => n % 2;
const accumulator = (sum: number, n: number) => sum + n;
const comparator = (a: number, b: number) => a === b;
const other = rxjs.NEVER as Flow<number>;

const text = { id: 'text', version: 1, encode: (value: unknown) => Buffer.from(String(value)) };

/** Never run: the compiler is the test. */
export function types(visits: Flow<{ user: string; at: Date }>, users: Flow<{ name: string }>): void {
  const user = { key: (v: { user: string }) => v.user };
  expectTypeOf(visits.pipe(countByKey('a', { key: (v) => v.user }))).toEqualTypeOf<
    Flow<millrace.KeyCount<string>>
  >();
  expectTypeOf(visits.pipe(distinctByKey('a', { key: (v) => v.at }))).toEqualTypeOf(visits);
  expectTypeOf(
    visits.pipe(latestByKey('a', { key: (v) => v.user, comparator: (a, b) => a.at === b.at })),
  ).toEqualTypeOf(visits);
  expectTypeOf(
    visits.pipe(scanByKey('a', { key: (v) => v.user, accumulator: (s, v) => s + v.user.length, seed: 0 })),
  ).toEqualTypeOf<Flow<number>>();
  expectTypeOf(
    visits.pipe(reduceByKey('a', { key: (v) => v.user, accumulator: (s, v) => s + v.user, seed: '' })),
  ).toEqualTypeOf<Flow<string>>();
  expectTypeOf(visits.pipe(scanState('a', (n, v) => n + v.user.length, 0))).toEqualTypeOf<Flow<number>>();
  expectTypeOf(
    visits.pipe(joinByKey('a', users, { key: (v) => v.user, otherKey: (u) => u.name })),
  ).toEqualTypeOf<Flow<readonly [{ user: string; at: Date }, { name: string }]>>();
  const when: millrace.Serializer<Date> = { ...text, decode: (bytes) => new Date(String(bytes)) };
  const stored = { ttl: { after: '1d' }, formerly: 'b', allowDropped: ['c'], onUnencodable: 'skip' } as const;
  expectTypeOf(
    visits.pipe(
      scanByKey('a', {
        ...stored,
        key: (v) => v.user,
        accumulator: (last, v) => (v.at > last ? v.at : last),
        seed: new Date(0),
        serializer: when,
      }),
    ),
  ).toEqualTypeOf<Flow<Date>>();
  expectTypeOf(
    visits.pipe(
      reduceByKey('a', {
        key: (v) => v.user,
        accumulator: (_, v) => v.at,
        seed: new Date(0),
        serializer: when,
      }),
    ),
  ).toEqualTypeOf<Flow<Date>>();
  expectTypeOf(
    visits.pipe(scanState('a', (_, v) => v.at, new Date(0), { ...stored, serializer: when })),
  ).toEqualTypeOf<Flow<Date>>();
  expectTypeOf(visits.pipe(distinctByKey('a', { ...stored, key: (v) => v.user }))).toEqualTypeOf(visits);
  expectTypeOf(visits.pipe(countByKey('a', { ...stored, key: (v) => v.user }))).toEqualTypeOf<
    Flow<millrace.KeyCount<string>>
  >();
  const whole: millrace.Serializer<{ user: string; at: Date }> = {
    ...text,
    decode: (bytes) => JSON.parse(String(bytes)) as { user: string; at: Date },
  };
  const name: millrace.Serializer<{ name: string }> = {
    ...text,
    decode: (bytes) => ({ name: String(bytes) }),
  };
  expectTypeOf(
    visits.pipe(
      latestByKey('a', {
        ...stored,
        key: (v) => v.user,
        comparator: (a, b) => a.at === b.at,
        serializer: whole,
      }),
    ),
  ).toEqualTypeOf(visits);
  expectTypeOf(
    visits.pipe(
      joinByKey('a', users, {
        ...stored,
        key: (v) => v.user,
        otherKey: (u) => u.name,
        serializer: whole,
        otherSerializer: name,
        otherFormerly: 'd',
      }),
    ),
  ).toEqualTypeOf<Flow<readonly [{ user: string; at: Date }, { name: string }]>>();
  // @ts-expect-error -- the state of countByKey is a number
  countByKey('a', { ...user, serializer: when });
  // @ts-expect-error -- scanState has no key
  scanState('a', (n: number) => n, 0, user);
  // @ts-expect-error -- neither fail nor skip
  countByKey('a', { ...user, onUnencodable: 'drop' });
  // @ts-expect-error -- a map is no key
  countByKey('a', { key: () => new Map() });
  // @ts-expect-error -- an accumulator is required
  scanByKey('a', { ...user, seed: 0 });
}

test.each<[string, () => unknown]>([
  ['the id of scanState', () => scanState('', accumulator, 0)],
  ["the accumulator of scanState('a')", () => scanState('a', 1 as never, 0)],
  ['the id of countByKey', () => countByKey('', { key })],
  ["countByKey('a').key", () => countByKey('a', {} as never)],
  ["the options of distinctByKey 'a'", () => distinctByKey('a', undefined as never)],
  ["distinctByKey 'a': keys is not an option", () => distinctByKey('a', { key, keys: key } as never)],
  ["latestByKey('a').comparator", () => latestByKey('a', { key } as never)],
  ["scanByKey('a').accumulator", () => scanByKey('a', { key, seed: 0 } as never)],
  ["reduceByKey('a').accumulator", () => reduceByKey('a', { key, seed: 0 } as never)],
  ["joinByKey('a').otherKey", () => joinByKey('a', other, { key } as never)],
  ["the other flow of joinByKey('a')", () => joinByKey('a', [] as never, { key, otherKey: key })],
])('an error names %s', (name, make) => {
  expect(make).toThrow(
    expect.objectContaining({ code: 'InvalidOption', message: expect.stringContaining(name) as unknown }),
  );
});

test.each<[string, () => unknown]>([
  ['scanState', () => scanState('a', (s) => s, Symbol())],
  ['scanByKey', () => scanByKey('a', { key, accumulator: (s) => s, seed: Symbol() })],
  ['reduceByKey', () => reduceByKey('a', { key, accumulator: (s) => s, seed: Symbol() })],
])('%s rejects a seed that cannot be stored', (_, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'UnsupportedValue' }));
});

test('right arguments are taken', () => {
  expect(latestByKey('a', { key, comparator })).toBeInstanceOf(Function);
  expect(joinByKey('a', other, { key, otherKey: key })).toBeInstanceOf(Function);
});

test('the job of the page joins and sums', async () => {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  const stores = createStores({ schemes: { memory: () => lake } });
  const put = (name: string, lines: readonly object[]) =>
    rxjs.lastValueFrom(
      lake.put(name, Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))),
    );
  await put('orders/1.ndjson', [
    { user: 'ann', amount: 3 },
    { user: 'bob', amount: 5 },
    { user: 'ann', amount: 4 },
    { user: 'eve', amount: 9 },
  ]);
  await put('users/1.ndjson', [
    { name: 'ann', country: 'CH' },
    { name: 'bob', country: 'DE' },
  ]);
  const createJob = (options: millrace.JobOptions) =>
    millrace.createJob({ ...options, stores, logger: millrace.silentLogger });
  await runExample(exampleOf('docs/operators-by-key.md'), { ...rxjs, ...millrace, createJob });
  const pages = await rxjs.lastValueFrom(listAll(lake, 'revenue/').pipe(rxjs.toArray()));
  const bodies = await Promise.all(pages.flat().map(({ key: name }) => rxjs.lastValueFrom(lake.get(name))));
  const lines = bodies.flatMap(({ chunks }) => Buffer.concat(chunks).toString().trim().split('\n'));
  // The order of the two sources is not defined.
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
    expect.arrayContaining([
      { country: 'CH', revenue: 7 },
      { country: 'DE', revenue: 5 },
    ]),
  );
  expect(lines).toHaveLength(3);
});
