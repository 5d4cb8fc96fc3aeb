import { jest } from '@jest/globals';
import fc from 'fast-check';
import { storedKey } from '../../../src/state/keys/keys.js';
import { absent, Absent } from '../../../src/state/cells.js';
import { Lists, type Version } from '../../../src/state/kinds/lists.js';
import { contentAt, Table, type FrozenSet } from '../../../src/state/kinds/table.js';

function put(table: Table<number>, key: string, value: number): void {
  const entry = table.find(key);
  if (entry === undefined) table.insert(key, value);
  else table.write(entry, value);
}

function clear(table: Table<number>, key: string): void {
  const entry = table.find(key);
  if (entry !== undefined) table.write(entry, absent);
}

const contents = (set: FrozenSet<number>): Map<unknown, unknown> =>
  new Map(set.entries.map((entry) => [entry.key, contentAt(entry, set)]));

describe('table', () => {
  test('freezing touches no entry, however many are dirty', () => {
    const table = new Table<number>();
    let touched = 0;
    for (let i = 0; i < 1000; i++) {
      const entry = table.insert(`k${i}`, i);
      for (const field of ['content', 'generation', 'older'] as const) {
        let value: unknown = entry[field];
        Object.defineProperty(entry, field, {
          get: () => (touched++, value),
          set: (v: unknown) => (touched++, (value = v)),
        });
      }
    }
    expect(table.freeze().entries).toHaveLength(1000);
    expect(touched).toBe(0);
  });

  test('later writes do not change what was frozen', () => {
    const table = new Table<number>();
    put(table, 'a', 1);
    const first = table.freeze();
    put(table, 'a', 2);
    const second = table.freeze();
    clear(table, 'a');
    put(table, 'b', 3);
    expect(contents(first)).toEqual(new Map([['a', 1]]));
    table.stored(first);
    expect(contents(second)).toEqual(new Map([['a', 2]]));
    table.stored(second);
    expect(contents(table.freeze())).toEqual(
      new Map<string, unknown>([
        ['a', absent],
        ['b', 3],
      ]),
    );
  });

  test('a generation holds only what it wrote', () => {
    const table = new Table<number>();
    put(table, 'a', 1);
    table.stored(table.freeze());
    put(table, 'b', 1);
    expect([...contents(table.freeze()).keys()]).toEqual(['b']);
  });

  test('a cleared key leaves memory once its tombstone is stored, unless it was set again', () => {
    const table = new Table<number>();
    put(table, 'a', 1);
    put(table, 'b', 1);
    clear(table, 'a');
    clear(table, 'b');
    const set = table.freeze();
    put(table, 'b', 2);
    contents(set);
    table.stored(set);
    expect(table.size).toBe(2);
    expect(table.removeCleared(set, 10)).toBe(2);
    expect(table.size).toBe(1);
    expect(table.find('b')?.content).toBe(2);
  });

  test('cleared keys leave memory a few at a time, and those that are set meanwhile stay', () => {
    const table = new Table<number>();
    const keys = ['a', 'b', 'c', 'd', 'e'];
    for (const key of keys) put(table, key, 1);
    for (const key of keys) clear(table, key);
    const set = table.freeze();
    contents(set);
    table.stored(set);
    expect(table.removeCleared(set, 2)).toBe(2);
    expect(table.size).toBe(3);
    for (const key of keys) put(table, key, 2);
    expect(table.removeCleared(set, 2)).toBe(2);
    expect(table.removeCleared(set, 2)).toBe(1);
    expect(table.removeCleared(set, 2)).toBe(0);
    expect(contents(table.freeze())).toEqual(new Map(keys.map((key) => [key, 2])));
  });

  test('histories are never longer than the number of sets in flight', () => {
    const table = new Table<number>();
    put(table, 'a', 0);
    const inFlight = [table.freeze()];
    for (let i = 1; i < 50; i++) {
      put(table, 'a', i);
      inFlight.push(table.freeze());
      const oldest = inFlight.length > 2 ? inFlight.shift() : undefined;
      if (oldest !== undefined) table.stored(oldest); // not even read
      let length = 0;
      for (let v = table.find('a')?.older; v !== undefined; v = v.older) length++;
      expect(length).toBeLessThanOrEqual(3);
    }
  });

  test.each([
    ['a text', 'b'],
    ['composite', storedKey(['b'])],
  ])('more keys than a map can hold is TooManyKeys, and the table is unchanged: %s', (_, key) => {
    const table = new Table<number>();
    put(table, 'a', 1);
    // V8 stops at 16,777,216 entries: several GB.
    const full = jest.spyOn(Map.prototype, 'set').mockImplementation(() => {
      throw new RangeError('Map maximum size exceeded');
    });
    try {
      expect(() => table.insert(key, 2)).toThrow(expect.objectContaining({ code: 'TooManyKeys' }));
    } finally {
      full.mockRestore();
    }
    expect([...contents(table.freeze())]).toEqual([['a', 1]]);
  });

  type Act =
    | { do: 'put' | 'append' | 'clear'; key: string; value: number }
    | { do: 'freeze' | 'stored' | 'give back' | 'turn' };
  const acts: fc.Arbitrary<Act[]> = fc.array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constantFrom('put' as const, 'append' as const, 'append' as const, 'clear' as const),
          key: fc.constantFrom('a', 'b', 'c'),
          value: fc.nat(9),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constantFrom('freeze' as const, 'stored' as const, 'give back' as const, 'turn' as const),
        }),
      },
    ),
    { maxLength: 60, size: 'max' },
  );

  test('stored sets add up to the lists at each barrier, with any failures in between, given back one by one', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const table = new Lists<number>();
        const model = new Map<string, number[]>();
        const durable = new Map<unknown, unknown[]>();
        const frozen: { set: FrozenSet<Version<number>>; model: Map<string, number[]> }[] = [];
        let failed: FrozenSet<Version<number>> | undefined;
        const giveBackOne = (): void => {
          if (failed !== undefined && table.giveBack(failed, 1) === 0) failed = undefined;
        };
        const giveBack = (): void => {
          while (failed !== undefined) giveBackOne();
        };
        const store = (): void => {
          giveBack();
          const next = frozen.shift();
          if (next === undefined) return;
          const keys = next.set.entries.map(({ key }) => key);
          expect(new Set(keys).size).toBe(keys.length);
          for (const entry of next.set.entries) {
            const version = contentAt(entry, next.set);
            if (version instanceof Absent) durable.delete(entry.key);
            else {
              const { elements, from, replaced, to } = version;
              const older = replaced ? [] : (durable.get(entry.key) ?? []);
              durable.set(entry.key, [...older, ...elements.slice(from, to)]);
            }
          }
          table.stored(next.set);
          expect(durable).toEqual(next.model);
        };
        const replace = (key: string, value: number): void => {
          const entry = table.find(key);
          const version = { elements: [value], from: 0, replaced: true, to: 1 };
          if (entry === undefined) table.insert(key, version);
          else table.write(entry, version);
          model.set(key, [value]);
        };
        for (const act of list) {
          if (act.do === 'put') replace(act.key, act.value);
          else if (act.do === 'append') {
            const entry = table.find(act.key);
            if (entry === undefined || entry.content instanceof Absent) replace(act.key, act.value);
            else {
              table.append(entry, entry.content, act.value);
              model.set(act.key, [...(model.get(act.key) ?? []), act.value]);
            }
          } else if (act.do === 'clear') {
            const entry = table.find(act.key);
            if (entry !== undefined) table.write(entry, absent);
            model.delete(act.key);
          } else if (act.do === 'freeze') {
            frozen.push({ set: table.freeze(), model: new Map(model) });
          } else if (act.do === 'stored') store();
          else if (act.do === 'turn') giveBackOne();
          else {
            giveBack();
            failed = frozen.shift()?.set;
            for (const entry of failed?.entries ?? []) contentAt(entry, failed!); // it was read before its upload failed
          }
        }
        frozen.push({ set: table.freeze(), model: new Map(model) });
        while (frozen.length > 0) store();
      }),
      { numRuns: 1000 },
    );
  });
});
