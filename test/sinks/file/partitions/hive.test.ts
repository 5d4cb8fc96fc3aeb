import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { lastValueFrom } from 'rxjs';
import { byTime } from '../../../../src/sinks/file/partitions/byTime.js';
import { hive, type HiveValue } from '../../../../src/sinks/file/partitions/hive.js';
import { createLocalStore } from '../../../../src/store/local/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import { listAll } from '../../../../src/store/helpers.js';
import { effort } from '../../../support/effort.js';
import { Run, World, type Line } from '../../harness.js';

const clock = { now: () => Date.parse('2026-11-29T07:30:00Z') };
const partition = (value: unknown): string => hive({ x: (value) => value as HiveValue }).open(clock)(value);

const values = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc
    .array(fc.constantFrom('\ud800', '\udc00', '/', '..', '.', '\0', '=', '%', 'ü', '😀', '\r\n'))
    .map((all) => all.join('')),
  fc.string({ unit: 'binary-ascii' }),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
);

/** What Hive, Spark and DuckDB make of a folder. */
const unescaped = (folder: string): string =>
  folder.replace(/%([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));

describe('hive', () => {
  test('columns in their order, times among them', () => {
    const timestamp = ({ at }: { at: string }) => Date.parse(at);
    const columns = hive<{ at: string; kind: string }>({
      kind: (v) => v.kind,
      dt: byTime({ pattern: 'yyyy-MM-dd', timestamp }),
      hour: byTime({ pattern: 'HH', zone: 'Europe/Berlin', timestamp }),
      written: byTime({ pattern: 'yyyy/MM' }),
    }).open(clock);
    expect(columns({ kind: 'a/b', at: '2026-11-29T06:30:00Z' })).toBe(
      'kind=a%2Fb/dt=2026-11-29/hour=07/written=2026%2F11',
    );
  });

  test('values', () => {
    expect([null, undefined, '', 0, -0, 1.5, NaN, 12345678901234567890n, true].map(partition)).toEqual([
      ...['x=__HIVE_DEFAULT_PARTITION__', 'x=__HIVE_DEFAULT_PARTITION__', 'x=__HIVE_DEFAULT_PARTITION__'],
      ...['x=0', 'x=0', 'x=1.5', 'x=NaN', 'x=12345678901234567890', 'x=true'],
    ]);
    for (const wrong of [{}, [], () => 1, Symbol('x'), new Date(0)])
      expect(() => partition(wrong)).toThrow(expect.objectContaining({ code: 'InvalidPartition' }) as Error);
    expect(() => partition(Promise.resolve('a'))).toThrow(
      expect.objectContaining({ code: 'PromiseInFlow' }) as Error,
    );
  });

  test('characters are escaped as Hive does it', () => {
    expect(partition('a"b#c%d\'e*f/g:h=i?j\\k{l[m]n^o}p q\u007fr\u0001s\0')).toBe(
      'x=a%22b%23c%25d%27e%2Af%2Fg%3Ah%3Di%3Fj%5Ck%7Bl%5Bm%5Dn%5Eo}p q%7Fr%01s%00',
    );
    expect(partition('\ud800ü\udc00')).toBe('x=\ufffdü\ufffd');
    expect(['.', '..', '../..'].map(partition)).toEqual(['x=.', 'x=..', 'x=..%2F..']);
  });

  test('whatever the values, the partition is one folder a column, and bounded; different values differ', () => {
    const columns = hive<readonly HiveValue[]>({ a: ([a]) => a, b: ([, b]) => b, c_3: ([, , c]) => c });
    const of = columns.open(clock);
    fc.assert(
      fc.property(fc.tuple(values, values, values), (record) => {
        const folder = of(record);
        expect(Buffer.byteLength(folder)).toBeLessThanOrEqual(columns.longest!);
        expect(folder.isWellFormed()).toBe(true);
        const names = folder.split('/');
        expect(names.map((name) => /^(a|b|c_3)=[^/=\0-\x1f]+$/.exec(name)?.[1])).toEqual(['a', 'b', 'c_3']);
        record.forEach((value, i) => {
          const name = names[i]!.slice(names[i]!.indexOf('=') + 1);
          if (value === null || value === '') expect(name).toBe('__HIVE_DEFAULT_PARTITION__');
          else if (name.length < 150) expect(unescaped(name)).toBe(String(value).toWellFormed());
        });
      }),
      { numRuns: effort(120, 10_000) },
    );
  });

  test('long values are cut between characters, and still differ', () => {
    const long = (last: string) => partition(`${'ü/'.repeat(500)}${last}`);
    expect(long('a')).not.toBe(long('b'));
    expect(long('a')).toMatch(/^x=(ü%2F|ü)+~[0-9a-f]{16}$/);
    expect(Buffer.byteLength(long('a')) - 'x='.length).toBeLessThanOrEqual(200);
  });

  test('no record leaves its folder or makes an invalid key, on a directory and in memory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-hive-'));
    try {
      const stores = [createMemoryStore(), createLocalStore(directory, { durable: false })];
      const written = new Set<string>();
      await fc.assert(
        fc.asyncProperty(values, async (value) => {
          const key = `out/${partition(value)}/part`;
          written.add(key);
          for (const store of stores) await lastValueFrom(store.put(key, Buffer.from('x')));
        }),
        { numRuns: effort(20, 1000) },
      );
      for (const store of stores) {
        const listed = await lastValueFrom(listAll(store, ''));
        expect(listed.map((info) => info.key).sort()).toEqual([...written].sort());
      }
      // Nothing is beside the folder.
      expect((await readdir(directory)).filter((name) => name !== '.millrace')).toEqual(['out']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('a sink writes them, and every published file is below its own column', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 }), (partitions) => {
        const world = new World();
        const run = new Run(world, { sink: { partitionBy: hive<Line>({ p: ({ p }) => p }) } });
        for (const p of partitions) run.line(p, 'x');
        run.end();
        for (let i = 0; i < 4 && run.pending.length > 0; i++) run.settle();
        expect(run.error).toBeUndefined();
        const expected = partitions.map((p) => hive({ p: () => p }).open(clock)(undefined));
        expect(Object.keys(world.published()).sort()).toEqual([...new Set(expected)].sort());
      }),
      { numRuns: effort(20, 1000) },
    );
  });

  test('a sink whose keys might be too long does not start', () => {
    const columns = Object.fromEntries('abcde'.split('').map((name) => [name, ({ p }: Line) => p]));
    const world = new World({ folder: `${'f'.repeat(400)}/` });
    const run = new Run(world, { sink: { partitionBy: hive<Line>(columns) } });
    expect(run.error).toMatchObject({ code: 'InvalidOption' });
    expect(String(run.error)).toMatch(/partitionBy may make keys of 1\d\d\d bytes; stores allow 1024/);
  });

  test('invalid columns are rejected', () => {
    const value = (): string => 'x';
    for (const columns of [
      null,
      [],
      {},
      { '1': value },
      { 'a/b': value },
      { a: 'b' },
      { a: null },
      { ['x'.repeat(32)]: value },
    ])
      expect(() => hive(columns as never)).toThrow(
        expect.objectContaining({ code: 'InvalidOption' }) as Error,
      );
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`c${i}`, value]));
    expect(() => hive(many)).toThrow(/1 to 10 columns/);
  });
});
