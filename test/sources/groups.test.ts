import { Observable } from 'rxjs';
import { memory, systemClock, type Json } from '../../src/flow/index.js';
import type { GroupDecoder, GroupReader, GroupStart } from '../../src/formats/groupReader.js';
import { MemoryBudget } from '../../src/job/memory/index.js';
import { filesSettings } from '../../src/sources/files.js';
import { FilesReader } from '../../src/sources/filesReader.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import type { ObjectBody, ObjectStore } from '../../src/store/objectStore.js';
import { stores } from '../../src/store/services.js';
import { TestAttempt } from '../../src/testing/testAttempt.js';
import { memoryWith, storesOf, outputTo } from './harness.js';

/** Bytes of a group, and of what it is decoded to. */
const stored = 1000;
const decoded = 3000;
const rows = 10;

/** Groups of 1,000 bytes with 10 rows each. */
function grouped(log: string[]): GroupReader<number> {
  return {
    name: 'grouped',
    isState: () => true,
    groups: (start) => new Grouped(start, log),
  };
}

class Grouped implements GroupDecoder<number> {
  #group = -1;
  #row = 0;
  #there = false;
  readonly recordBytes = 100_000;
  held = 0;

  constructor(
    private readonly start: GroupStart,
    private readonly log: string[],
  ) {}

  get left(): number {
    return this.#there ? rows - this.#row : 0;
  }

  get records(): number {
    return Math.max(0, this.#group) * rows + this.#row;
  }

  get offset(): number {
    return Math.max(0, this.#group) * stored;
  }

  wants() {
    this.#group++;
    this.#row = 0;
    this.#there = false;
    const ranges = this.#rangeOf(this.#group);
    this.held = ranges.length * decoded;
    return ranges;
  }

  ahead() {
    return this.#rangeOf(this.#group + 1);
  }

  take(): void {
    this.#there = true;
  }

  decode(on: (record: number) => void): void {
    this.log.push(`row ${this.#group}.${this.#row}`);
    this.#row++;
    on(this.records);
  }

  state(): Json {
    return null;
  }

  #rangeOf(group: number) {
    const start = group * stored;
    return start < this.start.size ? [{ start, end: start + stored }] : [];
  }
}

type Get = (key: string, start: number, body: Observable<ObjectBody>) => Observable<ObjectBody>;

/** Reads objects with so many groups each. `fragment` and `window` are the budget. */
function reading(
  sizes: readonly number[],
  { fragment = 100_000, window = 1, parallelism = 1 } = {},
  get: Get = (_, __, body) => body,
) {
  const log: string[] = [];
  const store = memoryWith(
    Object.fromEntries(sizes.map((groups, i) => [`raw/${i}`, new Uint8Array(groups * stored)])),
  );
  const logged: ObjectStore = {
    ...decorate(store, (_, run) => run),
    get: (key, options) => {
      const { start = 0 } = options?.range as { start?: number };
      log.push(`get ${start / stored}`);
      return get(key, start, store.get(key, options));
    },
  };
  const budget = new MemoryBudget();
  const account = budget.open({
    owner: 'test',
    total: 1e9,
    waits: () => undefined,
    granted: () => undefined,
    exceeded: () => undefined,
  });
  account.start();
  const attempt = new TestAttempt({
    clock: systemClock,
    services: new Map<never, unknown>([
      [stores as never, storesOf(logged)],
      [memory as never, account],
    ]),
  });
  let wake: () => void = () => undefined;
  const records: number[] = [];
  const held: number[] = [];
  const settings = filesSettings('memory://lake/raw', {
    format: grouped(log),
    prefetch: { fragment, window },
    parallelism,
  });
  let failed: unknown;
  const reader = new FilesReader(settings, {
    id: 'in',
    attempt,
    position: undefined,
    ready: () => wake(),
    fail: (error) => (failed = error),
  });
  const poll = () => {
    const result = reader.poll(outputTo((row) => records.push(row)));
    held.push(reader.held);
    return result;
  };
  /** Polls until there are so many records, or all. */
  const until = async (count: number): Promise<void> => {
    while (records.length < count && failed === undefined) {
      const result = poll();
      if (result === 'end') return;
      if (result === 'wait') await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { log, records, held, reader, until, budget };
}

/** Everything that is decoded has been passed on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('row groups', () => {
  test('the next one is requested before the first row of this one, and no other', async () => {
    const { log, until, reader } = reading([4]);
    await until(1);
    expect(log).toEqual(['get 0', 'get 1', 'row 0.0']);
    await until(40);
    expect(log.filter((each) => each.startsWith('get'))).toEqual(['get 0', 'get 1', 'get 2', 'get 3']);
    expect(log.indexOf('get 3')).toBeLessThan(log.indexOf('row 2.0'));
    reader.close();
  });

  test('requests that take as long as the rows of a group are waited for once', async () => {
    let time = 0;
    const arrivals: { at: number; arrive: () => void }[] = [];
    const { until, reader, records } = reading(
      [5],
      {},
      (_, __, body) =>
        new Observable((out) => {
          arrivals.push({ at: time + 30, arrive: () => body.subscribe(out) });
        }),
    );
    const arrive = (): void => {
      while ((arrivals[0]?.at ?? Infinity) <= time) arrivals.shift()?.arrive();
    };
    const waited: number[] = [];
    for (let row = 1; row <= 5 * rows; row++) {
      const read = until(row);
      await settled();
      const [next] = arrivals;
      if (records.length < row && next !== undefined) {
        waited.push(row);
        time = next.at;
        arrive();
      }
      await read;
      // So long takes a row.
      time += 3;
      arrive();
    }
    expect(waited).toEqual([1]);
    reader.close();
  });

  test('nothing is fetched ahead that does not fit into the budget', async () => {
    // (1 + 1 + 1) × 1,200 bytes: a decoded group, but nothing beside it.
    const { log, held, until } = reading([3], { fragment: 1200 });
    await until(30);
    expect(log.indexOf('get 1')).toBeGreaterThan(log.indexOf('row 0.9'));
    expect(Math.max(...held)).toBe(stored + decoded);
  });

  test('a group that is larger than the budget is read alone', async () => {
    const { records, held, until } = reading([3, 3, 3], { fragment: 10, window: 1, parallelism: 3 });
    await until(90);
    expect(records).toHaveLength(90);
    expect(Math.max(...held)).toBe(stored + decoded);
  });

  test('objects share the budget, and all are read', async () => {
    // (1 + 3 + 1) × 1,800 bytes: two groups that are read, or one, and what is fetched ahead.
    const { records, held, until } = reading([3, 1, 4, 2], { fragment: 1800, parallelism: 3 });
    await until(100);
    expect(records).toHaveLength(100);
    expect(Math.max(...held)).toBeGreaterThan(2 * decoded);
    expect(Math.max(...held)).toBeLessThanOrEqual(9000 + decoded);
  });

  test('closing aborts what is fetched ahead, and gives everything back', async () => {
    let aborted = 0;
    const { until, reader, budget, log } = reading([3], {}, (_, start, body) =>
      start === 0 ? body : new Observable(() => () => aborted++),
    );
    await until(3);
    expect(log).toContain('get 1');
    expect(budget.charged).toBeGreaterThan(0);
    expect(reader.held).toBe(decoded + stored);
    reader.close();
    expect(aborted).toBe(1);
    expect(budget.charged + budget.fixed).toBe(0);
  });

  test('an error of what is fetched ahead comes after the rows before it', async () => {
    const { until, reader, records, budget } = reading([3], {}, (_, start, body) =>
      start === stored ? new Observable((out) => out.error(new Error('boom'))) : body,
    );
    await expect(until(30)).rejects.toThrow('boom');
    expect(records).toHaveLength(10);
    reader.close();
    expect(budget.charged + budget.fixed).toBe(0);
  });

  test('what exceeds the share is counted as a charge of the process', async () => {
    const { until, reader, budget } = reading([1], { fragment: 10 });
    await until(1);
    expect(budget.charged + budget.fixed).toBeGreaterThanOrEqual(decoded);
    reader.close();
  });
});
