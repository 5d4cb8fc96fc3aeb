import { lastValueFrom, Observable, toArray } from 'rxjs';
import {
  ReadBudget,
  readObject,
  SeekableReader,
  type ReaderOptions,
} from '../../../src/store/reader/index.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { delayed } from '../../../src/store/decorators/delay.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const limits = { buffer: 256 * KiB, fragment: MiB, window: 8 };
const content = Buffer.alloc(20 * MiB);
for (let i = 0; i < content.length; i += 511) content[i] = (i * 7) & 255;

/** The requested ranges, and how many requests are in flight. */
function watched(inner: ObjectStore): { store: ObjectStore; ranges: [number, number][]; live: () => number } {
  const ranges: [number, number][] = [];
  let live = 0;
  const store: ObjectStore = {
    ...passed(inner),
    get: (key, options) =>
      new Observable((out) => {
        ranges.push([options!.range!.start, options!.range!.end!]);
        expect(options!.ifMatch).toBeDefined();
        live++;
        out.add(() => live--);
        return inner.get(key, options).subscribe(out);
      }),
  };
  return { store, ranges, live: () => live };
}

/** A store whose methods can be replaced one by one. */
const passed = (store: ObjectStore): ObjectStore => decorate(store, (_, run) => run);

async function filled(body: Buffer = content): Promise<ObjectStore> {
  const store = createMemoryStore();
  await lastValueFrom(store.put('o', body));
  return store;
}

const open = (store: ObjectStore, options: Partial<ReaderOptions> = {}): Promise<SeekableReader> =>
  lastValueFrom(SeekableReader.open(store, 'o', { limits, budget: new ReadBudget(), ...options }));
const read = async (reader: SeekableReader, length: number, at?: number): Promise<Buffer> => {
  const into = Buffer.alloc(length);
  return into.subarray(0, await lastValueFrom(reader.read(into, at)));
};

describe('requests', () => {
  it('opening is one HEAD, or none if the object is known', async () => {
    const { store, counts, reset } = counting(await filled());
    const first = await open(store);
    expect(counts().requests).toEqual({ head: 1 });
    reset();
    await open(store, { info: first.info });
    expect(counts().total).toBe(0);
  });

  it('a small random read is one GET of the read buffer, which answers reads nearby', async () => {
    const { store, ranges } = watched(await filled());
    const reader = await open(store);
    for (const at of [9 * MiB, 3 * MiB, 15 * MiB])
      expect((await read(reader, 4 * KiB, at)).equals(content.subarray(at, at + 4 * KiB))).toBe(true);
    expect(ranges).toEqual([9 * MiB, 3 * MiB, 15 * MiB].map((at) => [at, at + 256 * KiB]));
    await read(reader, 4 * KiB, 15 * MiB + 8 * KiB);
    expect(ranges.length).toBe(3);
  });

  it('a large random read asks for exactly its bytes, in fragments', async () => {
    const { store, ranges } = watched(await filled());
    const reader = await open(store);
    await read(reader, 2.5 * MiB, 9 * MiB + 3);
    expect(ranges).toEqual([
      [9 * MiB + 3, 10 * MiB + 3],
      [10 * MiB + 3, 11 * MiB + 3],
      [11 * MiB + 3, 11.5 * MiB + 3],
    ]);
  });

  it('a read of the last bytes requests no more than there are', async () => {
    const { store, ranges } = watched(await filled());
    const reader = await open(store);
    expect((await read(reader, 4 * KiB, content.length - 10)).length).toBe(10);
    expect(ranges).toEqual([[content.length - 10, content.length]]);
  });

  it('sequential reads fetch ahead, further the longer they continue: about a GET a fragment, none twice', async () => {
    const { store, ranges } = watched(await filled());
    const reader = await open(store);
    for (let at = 0; at < content.length; at += 64 * KiB)
      expect((await read(reader, 64 * KiB)).equals(content.subarray(at, at + 64 * KiB))).toBe(true);
    expect((await read(reader, 1)).length).toBe(0);
    // 20 fragments, and the first ones smaller.
    expect(ranges.length).toBeLessThanOrEqual(20 + 5);
    expect(ranges.reduce((sum, [start, end]) => sum + end - start, 0)).toBe(content.length);
  });

  it('a read from start to end requests whole fragments immediately', async () => {
    const { store, ranges } = watched(await filled());
    const chunks = await lastValueFrom(
      readObject({ store, key: 'o', budget: new ReadBudget(), limits }).pipe(toArray()),
    );
    expect(Buffer.concat(chunks).equals(content)).toBe(true);
    expect(ranges.length).toBe(20);
  });

  it('a random read aborts what was fetched ahead', async () => {
    const clock = new SimulatedClock();
    const { store, live } = watched(delayed(await filled(), { clock, before: () => 10 }));
    const opening = open(store, { sequential: true });
    clock.run();
    const reader = await opening;
    reader.pull(MiB).subscribe();
    expect(live()).toBe(2);
    clock.run();
    reader.pull(MiB).subscribe();
    expect(live()).toBe(2);
    const random = reader.read(Buffer.alloc(10), 15 * MiB).subscribe({ error: () => undefined });
    expect(live()).toBe(1);
    random.unsubscribe();
    reader.close();
    expect(live()).toBe(0);
  });
});

describe('a read', () => {
  it('of a replaced object is an error at any point, and never returns bytes of both versions', async () => {
    const inner = await filled();
    const budget = new ReadBudget('1MiB');
    const reader = await open(inner, { budget });
    const before = await read(reader, 3 * MiB);
    expect(before.equals(content.subarray(0, 3 * MiB))).toBe(true);
    await lastValueFrom(inner.put('o', Buffer.alloc(content.length, 1)));
    await expect(read(reader, 3 * MiB)).rejects.toMatchObject({
      code: 'PreconditionFailed',
      message: expect.stringContaining('replaced') as unknown,
    });
  });

  it('from a server that ignores If-Match is an error, too', async () => {
    const inner = await filled();
    const store: ObjectStore = {
      ...passed(inner),
      get: (key, { range } = {}) => inner.get(key, range ? { range } : {}),
    };
    const reader = await open(store, { budget: new ReadBudget('64KiB') });
    await read(reader, 10);
    await lastValueFrom(inner.put('o', Buffer.alloc(content.length, 1)));
    await expect(read(reader, MiB)).rejects.toMatchObject({ code: 'PreconditionFailed' });
  });

  it('is empty for a zero-byte object, and beyond the end', async () => {
    const { store, counts } = counting(await filled(Buffer.alloc(0)));
    const reader = await open(store);
    expect((await read(reader, 10)).length).toBe(0);
    expect((await read(reader, 10, 100)).length).toBe(0);
    expect(await lastValueFrom(reader.pull(10))).toEqual([]);
    reader.seek(1000);
    expect((await read(reader, 10)).length).toBe(0);
    expect(counts().requests).toEqual({ head: 1 });
    await expect(
      lastValueFrom(readObject({ store, key: 'o', budget: new ReadBudget() }).pipe(toArray())),
    ).resolves.toEqual([]);
  });

  it('does not start at a negative position', async () => {
    const reader = await open(await filled());
    expect(() => reader.seek(-1)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
    await expect(read(reader, 1, -5)).rejects.toMatchObject({ code: 'InvalidRequest' });
  });

  it('emits the chunks of the store, not copied', async () => {
    const inner = await filled();
    const { chunks } = await lastValueFrom(inner.get('o'));
    const [first] = await lastValueFrom(
      readObject({ store: inner, key: 'o', budget: new ReadBudget(), limits }).pipe(toArray()),
    );
    expect(first!.buffer).toBe(chunks[0]!.buffer);
  });

  it('fails after close: requests are aborted, memory is free', async () => {
    const clock = new SimulatedClock();
    const { store, live } = watched(delayed(await filled(), { clock, before: () => 10 }));
    const budget = new ReadBudget();
    const opening = open(store, { budget });
    clock.run();
    const reader = await opening;
    const pending = read(reader, 5 * MiB);
    expect(live()).toBe(5);
    reader.close();
    expect([live(), budget.held]).toEqual([0, 0]);
    await expect(pending).rejects.toMatchObject({ code: 'ReaderClosed' });
    await expect(read(reader, 1)).rejects.toMatchObject({ code: 'ReaderClosed' });
  });

  it('unsubscribed, aborts its requests', async () => {
    const clock = new SimulatedClock();
    const { store, live } = watched(delayed(await filled(), { clock, before: () => 10 }));
    const reading = readObject({ store, key: 'o', budget: new ReadBudget(), limits }).subscribe();
    clock.step();
    expect(live()).toBe(2);
    reading.unsubscribe();
    expect(live()).toBe(0);
  });
});

describe('the budget', () => {
  it('is shared equally: one reader far ahead leaves the next its share', async () => {
    const clock = new SimulatedClock();
    const store = delayed(await filled(), { clock, before: () => 10 });
    const budget = new ReadBudget('4MiB');
    const opening = Promise.all([1, 2].map(() => open(store, { budget, sequential: true })));
    clock.run();
    const [one, two] = (await opening) as [SeekableReader, SeekableReader];
    // The first reads on and on, and fetches ahead as far as it may.
    for (let i = 0; i < 6; i++) {
      one.pull(MiB).subscribe();
      clock.run();
    }
    expect(budget.held).toBe(4 * MiB);
    let got = 0;
    two.pull(MiB).subscribe((chunks) => (got = chunks.length));
    expect(budget.held).toBeLessThanOrEqual(4 * MiB);
    clock.run();
    expect(got).toBeGreaterThan(0);
    one.close();
    two.close();
    expect(budget.held).toBe(0);
  });

  it('is shared by a reader that came first: soon each fetches equally far ahead', async () => {
    const clock = new SimulatedClock();
    const budget = new ReadBudget('4MiB');
    const inner = delayed(await filled(), { clock, before: () => 10 });
    const stores = [watched(inner), watched(inner)];
    const opening = Promise.all(stores.map(({ store }) => open(store, { budget, sequential: true })));
    clock.run();
    const readers = await opening;
    const pulled = [0, 0];
    const pull = (i: number): void => {
      readers[i]!.pull(MiB).subscribe(() => pulled[i]!++);
      clock.run();
    };
    for (let i = 0; i < 4; i++) pull(0);
    expect(stores[0]!.ranges.length - pulled[0]!).toBe(4);
    for (let i = 0; i < 5; i++) {
      pull(1);
      pull(0);
    }
    // Two ahead each; and one more that the first gave up at once for what the second needed next.
    expect(stores.map(({ ranges }, i) => ranges.length - pulled[i]!)).toEqual([2 + 1, 2]);
    for (const reader of readers) reader.close();
  });

  it('holds, also for a reader that reads while another is being answered', async () => {
    const clock = new SimulatedClock();
    const budget = new ReadBudget('128KiB');
    const small = { buffer: 16 * KiB, fragment: 32 * KiB, window: 8 };
    const store = delayed(await filled(), { clock, before: () => 10 });
    const opening = Promise.all(
      [true, false].map((sequential) => open(store, { budget, limits: small, sequential })),
    );
    clock.run();
    const [one, two] = (await opening) as [SeekableReader, SeekableReader];
    const wide = two.read(Buffer.alloc(96 * KiB));
    let answered = 0;
    one.pull(32 * KiB).subscribe(() => {
      void lastValueFrom(wide).then(() => answered++);
    });
    while (clock.step()) expect(budget.held).toBeLessThanOrEqual(budget.limit);
    await Promise.resolve();
    expect(answered).toBe(1);
    one.close();
    two.close();
  });

  it('falls: what is read ahead is dropped at once, and the rest is requested in smaller pieces', async () => {
    const clock = new SimulatedClock();
    const store = delayed(await filled(), { clock, before: () => 10 });
    const { budget, set } = adjustable(4 * MiB);
    const opening = open(store, { budget, sequential: true });
    clock.run();
    const reader = await opening;
    for (let i = 0; i < 6; i++) {
      reader.pull(MiB).subscribe();
      clock.run();
    }
    expect(budget.held).toBe(4 * MiB);
    set(100 * KiB);
    expect(budget.held).toBe(0);
    let got = 0;
    reader.pull(MiB).subscribe((chunks) => (got = chunks[0]!.length));
    clock.run();
    expect(got).toBe(100 * KiB);
    reader.close();
  });

  it('falls below demands that wait: they stay charged, and are granted', async () => {
    const clock = new SimulatedClock();
    const store = delayed(await filled(), { clock, before: () => 10 });
    const { budget, set, reported } = adjustable(MiB);
    const opening = Promise.all([1, 2, 3].map(() => open(store, { budget })));
    clock.run();
    const readers = (await opening) as [SeekableReader, SeekableReader, SeekableReader];
    const got: number[] = [];
    const reads = [
      { at: 0, length: MiB },
      { at: content.length - 10, length: 10 },
      { at: 0, length: 300 * KiB },
    ];
    for (const [i, { at, length }] of reads.entries())
      readers[i]!.read(Buffer.alloc(length), at).subscribe((bytes) => got.push(bytes));
    set(64 * KiB);
    const before = reported.length;
    while (clock.step());
    expect(got).toEqual([MiB, 10, 300 * KiB]);
    const whileWaiting = reported.slice(before, -1);
    expect(Math.min(...whileWaiting)).toBeGreaterThanOrEqual(300 * KiB);
    for (const reader of readers) reader.close();
  });

  it('falls while a read is answered: what was planned before is planned again', async () => {
    const clock = new SimulatedClock();
    const store = delayed(await filled(), { clock, before: () => 10 });
    const { budget, set } = adjustable(4 * MiB);
    const opening = open(store, { budget, limits: { ...limits, window: 1 } });
    clock.run();
    const reader = await opening;
    let fell = false;
    let got = 0;
    reader.read(Buffer.alloc(MiB), 0).subscribe(() => {
      set(64 * KiB);
      fell = true;
    });
    reader.read(Buffer.alloc(2 * MiB - 10), 10).subscribe((bytes) => (got = bytes));
    while (clock.step()) if (fell) expect(budget.held).toBeLessThanOrEqual(64 * KiB);
    expect(got).toBe(2 * MiB - 10);
    reader.close();
  });

  it('is taken while a reader is open', async () => {
    const store = await filled();
    const { budget, left } = adjustable(MiB);
    const [one, two] = [await open(store, { budget }), await open(store, { budget })];
    await read(one, MiB);
    one.close();
    expect(left()).toBe(0);
    void read(two, MiB).catch(() => undefined);
    two.close();
    expect(left()).toBe(1);
  });

  it.each(['10KiB', -1, 'much'])('refuses %s', (limit) => {
    expect(() => new ReadBudget(limit)).toThrow(expect.objectContaining({ code: 'InvalidOption' }));
  });
});

/** A budget of at most 4 MiB, whose limit the test sets. */
function adjustable(first: number) {
  let limit = first;
  let changed = (): void => undefined;
  let left = 0;
  const reported: number[] = [];
  const budget = new ReadBudget('4MiB', (use) => {
    changed = use.changed;
    return {
      get limit() {
        return limit;
      },
      holds: (bytes) => reported.push(bytes),
      leave: () => left++,
    };
  });
  const set = (bytes: number): void => {
    limit = bytes;
    changed();
  };
  return { budget, set, reported, left: () => left };
}
