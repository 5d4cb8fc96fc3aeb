import { fileSink } from 'millrace';
import { counting } from '../../../src/store/decorators/counting.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import { parquet, types } from '../../../src/formats/parquet/index.js';
import type { Writer } from '../../../src/formats/writer.js';
import { array, columns, gzipped, recordsOf, rows, whole } from '../../support/encoders.js';
import { now, Run, World, type Line } from '../harness.js';

const KiB = 1024;
const format = (writer: Writer<never>): Writer<Line> => writer;

/** The texts of all files, in the order of their names. */
function texts(world: World): string[] {
  return world
    .keys()
    .flatMap((key) => recordsOf(key, Buffer.concat(now(world.store.get(key)).chunks)) as Line[])
    .map(({ text }) => text);
}

function feed(run: Run, from: number, to: number): string[] {
  const all = Array.from({ length: to - from }, (_, i) => `record ${from + i}`);
  for (const text of all) run.line('p', text);
  return all;
}

const roll = { age: '1h', inactivity: '1h' } as const;

describe.each([
  ['closing', array()],
  ['rows', columns(7)],
  ['rows, of Parquet', parquet({ schema: { p: types.string, text: types.string }, rowGroup: { rows: 7 } })],
  ['closing, of a compression', gzipped(array())],
  ['rows, of a compression', gzipped(columns(7))],
] as const)('a file that is restored by %s', (_, writer) => {
  const sink = { format: format(writer), roll };

  test('stays open over any number of checkpoints', () => {
    const world = new World();
    const run = new Run(world, { sink });
    const all: string[] = [];
    for (let i = 0; i < 60; i++) {
      all.push(...feed(run, i * 3, i * 3 + 3));
      run.barrier();
      expect(run.acked.at(-1)!.frozen).toMatchObject({ open: [{}], closed: [] });
    }
    run.end();
    run.settle();
    expect(run.error).toBeUndefined();
    expect(world.keys()).toHaveLength(1);
    expect(texts(world)).toEqual(all);
    expect(world.keys('cp')).toEqual([]);
  });

  test('is complete after a crash at any checkpoint, and contains nothing later', () => {
    for (let checkpoints = 1; checkpoints < 25; checkpoints++) {
      const world = new World();
      const first = new Run(world, { sink });
      const all: string[] = [];
      for (let i = 0; i < checkpoints; i++) {
        all.push(...feed(first, i * 2, i * 2 + 2));
        first.barrier();
      }
      feed(first, checkpoints * 2, checkpoints * 2 + 5);
      const second = new Run(world, { sink });
      for (let i = 0; i < 3; i++) second.settle();
      expect(second.error).toBeUndefined();
      expect(texts(world)).toEqual(all);
      const sizes = world.keys().map((key) => now(world.store.head(key)).size);
      const committed = second.events.flatMap((event) => (event.type === 'committed' ? event['bytes'] : []));
      expect(committed).toEqual(sizes);
    }
  });
});

test('a checkpoint of rows stores only new ones, in at most 16 journals', () => {
  const world = new World();
  let counts!: ReturnType<typeof counting>;
  const run = new Run(world, {
    wrap: (store) => (counts = counting(store)).store,
    sink: { format: format(columns(100_000)), roll, partSize: '5MiB' },
  });
  let total = 0;
  for (let i = 0; i < 40; i++) {
    counts.reset();
    run.line('p', 'x'.repeat(100 * KiB));
    total++;
    run.barrier();
    const { bytesUp } = counts.counts();
    // All rows go into one journal again, now and then.
    expect(bytesUp).toBeLessThan(total % 15 === 1 ? (total + 1) * 101 * KiB : 102 * KiB);
    expect(run.acked.at(-1)!.frozen.open![0]!.objects!.length).toBeLessThanOrEqual(16 + 1);
  }
});

test('a checkpoint stores the state of rows only if it is another one', () => {
  const world = new World();
  let counts!: ReturnType<typeof counting>;
  const wide = Array.from(
    { length: 500 },
    (_, i) => [`${'long '.repeat(40)}${i}`, types.optional(types.int32)] as const,
  );
  const schema = { p: types.string, text: types.string, ...Object.fromEntries(wide) };
  const run = new Run(world, {
    wrap: (store) => (counts = counting(store)).store,
    sink: { format: parquet({ schema }), roll, partSize: '5MiB' },
  });
  const stored = Array.from({ length: 40 }, (_, i) => {
    run.line('p', `record ${i}`);
    counts.reset();
    run.barrier();
    return counts.counts().bytesUp;
  });
  const state = stored[0]!;
  expect(state).toBeGreaterThan(100 * KiB);
  // All rows go into one journal again, now and then, and take the state along.
  expect(stored.filter((bytes) => bytes > state / 2).length).toBeLessThan(5);
});

test('a format that can do nothing at a checkpoint has its files finished there', () => {
  const world = new World();
  const run = new Run(world, { sink: { format: format(whole()), roll } });
  const all = feed(run, 0, 5);
  run.barrier();
  expect(run.acked[0]!.frozen.open).toEqual([]);
  expect(texts(world)).toEqual(all);
});

describe('memory of encoders', () => {
  test.each([1, 40, 400])(
    'in %d files counts towards the budget, and does not block a source forever',
    (files) => {
      const world = new World({ minimumPartSize: 64 * KiB });
      const budget = 512 * KiB;
      const held = new Map<object, number>();
      let peak = 0;
      const inner = columns(100_000) as Writer<never>;
      const watched: Writer<never> = {
        ...inner,
        open(out) {
          const encoder = inner.open(out);
          return {
            get held() {
              return encoder.held;
            },
            write: (record) => {
              encoder.write(record);
              held.set(encoder, encoder.held);
              peak = Math.max(
                peak,
                [...held.values()].reduce((a, b) => a + b),
              );
            },
            persist: (all) => encoder.persist!(all),
            finish: () => {
              encoder.finish();
              held.delete(encoder);
            },
          };
        },
      };
      const run = new Run(world, {
        wrap: (store) => faulty(store, { random: () => 0.5, delayed: 1, delayUpTo: 100, clock: world.clock }),
        sink: {
          format: format(watched),
          roll: { ...roll, size: 200 * KiB },
          partSize: 64 * KiB,
          budget,
        },
      });
      let sent = 0;
      for (let i = 0; i < 3000; i++) {
        const text = `${i} ${'x'.repeat(400)}`;
        run.line(`p${i % files}`, text);
        sent += text.length;
        run.credit(sent);
        for (let waited = 0; sent - (run.released.at(-1)?.bytes ?? 0) > 32 * KiB; waited++) {
          if (run.error !== undefined || waited > 1000)
            throw new Error(`stuck at ${i}: ${String(run.error)}`);
          world.clock.advance(10);
        }
        if (i % 500 === 499) run.barrier();
      }
      expect(peak).toBeGreaterThan(budget / 8);
      expect(peak).toBeLessThanOrEqual(budget / 4 + KiB);
      run.end();
      for (let i = 0; i < 3000 && world.manifest.pending.length + world.manifest.open.length > 0; i++) {
        world.clock.advance(1000);
        run.settle();
      }
      expect(run.error).toBeUndefined();
      expect(texts(world)).toHaveLength(3000);
    },
  );
});

test('compressed files write out what they hold when memory is short, and stay open', () => {
  const world = new World({ minimumPartSize: 64 * KiB });
  const files = 100;
  const run = new Run(world, {
    sink: {
      format: rows,
      compression: 'gzip',
      roll: { ...roll, size: 200 * KiB },
      partSize: 64 * KiB,
      budget: 512 * KiB,
    },
  });
  for (let i = 0; i < 30 * files; i++) run.line(`p${i % files}`, `${i} ${'x'.repeat(1000)}`);
  run.end();
  run.settle();
  expect(run.error).toBeUndefined();
  expect(world.keys()).toHaveLength(files);
  expect(texts(world)).toHaveLength(30 * files);
});

test('encoders leave no room for more while parts are in flight', () => {
  const world = new World({ minimumPartSize: 64 * KiB });
  const budget = 1024 * KiB;
  /** Holds as much as it writes. */
  const hoarder: Writer<Line> = {
    extension: '.txt',
    restore: 'whole',
    open(out) {
      let held = 0;
      return {
        get held() {
          return held;
        },
        write: ({ text }) => {
          out.write(text);
          held += text.length;
        },
        finish: () => undefined,
      };
    },
  };
  const run = new Run(world, {
    wrap: (store) => faulty(store, { random: () => 0.5, delayed: 1, delayUpTo: 1000, clock: world.clock }),
    sink: { format: hoarder, roll: { ...roll, size: '8MiB' }, partSize: 64 * KiB, budget },
  });
  for (let sent = KiB; sent <= budget; sent += KiB) {
    run.line('p', 'x'.repeat(KiB));
    run.credit(sent);
    if (run.released.at(-1)?.bytes !== sent) break;
  }
  expect(run.released.at(-1)!.bytes).toBeGreaterThan(0.25 * budget);
  expect(run.released.at(-1)!.bytes).toBeLessThan(0.5 * budget);
});

test('memory of encoders is reported by the process, and shrinks with the share', () => {
  const world = new World({ minimumPartSize: 64 * KiB });
  let held = 0;
  const keeping: Writer<Line> = {
    extension: '.txt',
    restore: 'whole',
    open(out) {
      const texts: string[] = [];
      return {
        get held() {
          return texts.length * KiB;
        },
        write: ({ text }) => {
          texts.push(text);
          held += KiB;
        },
        finish: () => {
          out.write(texts.join(''));
          held -= texts.length * KiB;
        },
      };
    },
  };
  const reports: { readonly bytes: number; readonly held: number }[] = [];
  let limit = Infinity;
  let change: () => void = () => undefined;
  const run = new Run(world, {
    sink: { format: keeping, roll: { ...roll, size: '8MiB' }, partSize: 64 * KiB, budget: 4096 * KiB },
    memory: {
      share: ({ most, least, changed }) => {
        change = changed;
        return {
          get limit() {
            return Math.max(least, Math.min(most, limit));
          },
          holds: (bytes) => reports.push({ bytes, held }),
          leave: () => undefined,
        };
      },
      charge: () => ({ set: () => undefined, leave: () => undefined }),
    },
  });
  for (let n = 0; n < 1024; n++) run.line('p', 'x'.repeat(KiB));
  expect(held).toBe(1024 * KiB);
  limit = 0;
  change();
  expect(held).toBeLessThan(1024 * KiB);
  for (let n = 0; n < 100; n++) world.clock.advance(100);
  expect(reports.filter(({ bytes, held: at }) => bytes < at)).toEqual([]);
  expect(reports.at(-1)!.bytes).toBeLessThan(1024 * KiB);
});

test('rows of a checkpoint are sealed by the format that wrote them, or not at all', () => {
  const world = new World();
  const columnar = { format: format(columns(7)), roll };
  const first = new Run(world, { sink: { ...columnar, maxOpenFiles: 1 }, auto: false });
  first.line('closed', 'first');
  const all = ['first', ...feed(first, 0, 5)];
  first.barrier();
  first.durable(false);
  const wrong = new Run(world, { sink: { format: format(array()), roll } });
  expect(wrong.error).toMatchObject({ code: 'FormatChanged', retryable: false });
  expect(world.keys()).toEqual([]); // nothing of that checkpoint is published
  const right = new Run(world, { sink: columnar });
  for (let i = 0; i < 3; i++) right.settle();
  expect(texts(world)).toEqual(all);
});

test('a record that cannot be encoded leaves no file and no trace', () => {
  const world = new World();
  const refusing: Writer<Line> = {
    extension: '.txt',
    restore: 'anywhere',
    open(out) {
      out.write('head '.repeat(4 * KiB)); // more than is kept as a string
      return {
        held: 0,
        write: ({ text }) => {
          if (text === 'bad') throw new Error('not this one');
          out.write(text);
        },
        finish: () => undefined,
      };
    },
  };
  const run = new Run(world, { sink: { format: refusing, roll, onUnencodable: 'skip', maxOpenFiles: 2 } });
  run.line('a', 'good');
  for (const p of ['b', 'c', 'd', 'a']) run.line(p, 'bad'); // more files than may be open
  run.barrier();
  expect(run.error).toBeUndefined();
  expect(run.acked[0]!.frozen).toMatchObject({ open: [{ records: 1, size: 20 * KiB + 4 }], closed: [] });
});

test('rows that were written before a record was refused are not sealed twice', () => {
  const world = new World();
  /** Writes its rows out when the next record comes, whatever that is. */
  const late: Writer<Line> = {
    extension: '.rows',
    restore: { name: 'late', seal: (_state, rows) => rows },
    open(out) {
      let rows = '';
      let afresh = true;
      const flush = (): void => {
        out.write(rows);
        rows = '';
        afresh = true;
      };
      return {
        get held() {
          return rows.length;
        },
        write: (record) => {
          flush();
          if (record.text === 'bad') throw new Error('not this one');
          rows = `${JSON.stringify(record)}\n`;
        },
        persist: () => {
          const persisted = { rows: { added: Buffer.from(rows), afresh, state: Buffer.alloc(0) } };
          afresh = false;
          return persisted;
        },
        finish: flush,
      };
    },
  };
  const options = { sink: { format: late, roll, onUnencodable: 'skip' } } as const;
  const first = new Run(world, options);
  first.line('p', 'good');
  first.barrier();
  first.line('p', 'bad');
  first.barrier();
  const second = new Run(world, options);
  for (let i = 0; i < 3; i++) second.settle();
  expect(second.error).toBeUndefined();
  expect(texts(world)).toEqual(['good']);
});

test.each([undefined, 'sometimes', {}])('a format restored by %p is refused', (restore) => {
  const writer = { ...array(), restore } as unknown as Writer<Line>;
  expect(() => fileSink('out', 'memory://lake/out', { format: writer })).toThrow(
    expect.objectContaining({ code: 'InvalidOption' }) as Error,
  );
});

test('rows that were flushed because memory was short are not sealed as well', () => {
  const world = new World({ minimumPartSize: 64 * KiB });
  const sized = { budget: 512 * KiB, partSize: 64 * KiB, roll: { ...roll, size: '16MiB' } } as const;
  const options = { sink: { format: format(columns(1_000_000)), ...sized } };
  const first = new Run(world, options);
  const line = (p: string, i: number): string => {
    const text = `${p} ${i} ${'x'.repeat(1000)}`;
    first.line(p, text);
    return text;
  };
  const expected = Array.from({ length: 60 }, (_, i) => line('a', i));
  first.barrier();
  // No other file holds as much, so this one is flushed first.
  for (let i = 0; i < 50; i++) for (let p = 0; p < 20; p++) expected.push(line(`b${p}`, i));
  first.barrier();
  const second = new Run(world, options);
  for (let i = 0; i < 3; i++) second.settle();
  expect(second.error).toBeUndefined();
  expect(texts(world).sort()).toEqual(expected.sort());
});

test('a sealed file that is published is not published again by a version that seals it in other bytes', () => {
  const world = new World({ minimumPartSize: 4 * KiB });
  const sink = { roll: { ...roll, size: '1MiB' }, partSize: 4 * KiB, budget: 64 * KiB } as const;
  const writer = columns(7);
  const first = new Run(world, { sink: { ...sink, format: format(writer) } });
  const all = feed(first, 0, 500);
  first.barrier();
  // It publishes, and dies before a manifest confirms that.
  new Run(world, { sink: { ...sink, format: format(writer) } });
  expect(texts(world)).toEqual(all);
  const { name, seal } = writer.restore as Exclude<typeof writer.restore, string>;
  const restore = {
    name,
    seal: (state: Uint8Array, rows: Uint8Array) => Buffer.concat([Buffer.from('  '), seal(state, rows)]),
  };
  const next = new Run(world, { sink: { ...sink, format: format({ ...writer, restore }) } });
  for (let i = 0; i < 3; i++) next.settle();
  expect(next.error).toBeUndefined();
  expect(texts(world)).toEqual(all);
});
