import { filter, lastValueFrom, tap, toArray, type Observable, type Subscriber } from 'rxjs';
import {
  flowOperator,
  FlowSubscriber,
  type Barrier,
  type Open,
  type Watermark,
} from '../../src/entries/operators.js';
import { counting as countingRequests, decorate, listAll } from '../../src/entries/stores.js';
import {
  createJob,
  fileSink,
  files,
  keyed,
  keyGroupOf,
  keyGroupRange,
  latestByKey,
  importState,
  loadConfig,
  ndjson,
  openState,
  records,
  scanState,
  silentLogger,
  valueState,
  watermarks,
  type Flow,
  type JobOptions,
  type KeyGroupRange,
  type MillraceError,
  type Signal,
} from '../../src/index.js';
import { seeded } from '../simulation/random.js';
import { Lake, now } from './harness.js';

interface Visit {
  readonly user: string;
  readonly n: number;
}

const visits: readonly Visit[] = Array.from({ length: 4000 }, (_, n) => ({ user: `user-${n % 40}`, n }));
const all = { first: 0, last: 127 };
const isIn = ({ first, last }: KeyGroupRange, key: string): boolean =>
  keyGroupOf(key) >= first && keyGroupOf(key) <= last;

interface Counting extends Partial<JobOptions> {
  readonly set?: Readonly<Record<string, string>>;
  readonly source?: string;
  readonly input?: string;
  /** Called with each record, before others are left out. */
  readonly each?: (visit: Visit) => void;
  /** Whether records of other key groups are left out. Default: they are. */
  readonly routed?: boolean;
  readonly operator?: (visits: Flow<Visit>) => Flow<object>;
}

const counted = (id: string) => (flow: Flow<Visit>) =>
  flow.pipe(
    keyed(id, {
      key: ({ user }) => user,
      state: { count: valueState(0) },
      onRecord: (visit, { count }) => [{ ...visit, count: count.update((before) => before + 1) }],
    }),
  );

class Jobs extends Lake {
  readonly #random = seeded(7);

  constructor() {
    super();
    this.put('raw/a.ndjson', visits);
  }

  /** Counts visits by user. */
  counting({
    set = {},
    source = 'raw',
    input = 'memory://lake/raw/*',
    each = () => undefined,
    routed = true,
    operator = counted('per-user'),
    ...options
  }: Counting = {}) {
    const config = loadConfig({ env: {}, file: false, set });
    const { job, events } = this.job({ config, random: this.#random, budget: 5000, ...options });
    const { keyGroups = all } = options;
    const own = job
      .source(source, files(input, { format: ndjson<Visit>(), prefetch: { fragment: 5000 } }))
      .pipe(
        records(
          tap(each),
          filter(({ user }) => !routed || isIn(keyGroups, user)),
        ),
      );
    const leaf = operator(own).pipe(fileSink('out', `memory://lake/out/${job.name}`, { format: ndjson() }));
    return { job, events, run: () => this.run(job, leaf) };
  }

  /** Runs a job to the end, and makes a savepoint of it. */
  async savepoint(options: Counting, finish = true): Promise<string> {
    if (finish) await this.counting(options).run();
    const { job, run } = this.counting(options);
    let made: Promise<string> | undefined;
    job.events$.subscribe(({ type }) => {
      if (type === 'running') made = job.savepoint('memory://lake/savepoints', { stop: true });
    });
    await run();
    return (await made) ?? '';
  }

  /** Makes a savepoint of a job at record 150, where it stops. */
  async interrupted(options: Counting): Promise<string> {
    let made: Promise<string> | undefined;
    const { job, run } = this.counting({
      ...options,
      each: ({ n }) => {
        if (n === 150) made = job.savepoint('memory://lake/savepoints', { stop: true });
      },
    });
    expect(await run()).toEqual({ outcome: 'stopped' });
    return (await made) ?? '';
  }

  halves(options: Counting = {}): Promise<readonly [string, string]> {
    return this.parts([keyGroupRange(0, 2), keyGroupRange(1, 2)], options) as never;
  }

  async parts(ranges: readonly KeyGroupRange[], options: Counting = {}): Promise<readonly string[]> {
    const uris: string[] = [];
    for (const [i, keyGroups] of ranges.entries())
      uris.push(await this.savepoint({ name: `part-${i}`, keyGroups, ...options }));
    return uris;
  }

  keys(prefix: string): string[] {
    return now(listAll(this.store, prefix).pipe(toArray()))
      .flat()
      .map(({ key }) => key);
  }

  /** The counts in the state of a job, by user. */
  counts(job: string): Record<string, unknown> {
    using state = openState(`memory://lake/checkpoints/${job}`, { stores: this.stores, clock: this.clock });
    const entries: Record<string, unknown> = {};
    state
      .entries('per-user', 'count')
      .subscribe(({ key, value }) => Object.assign(entries, { [key as string]: value }));
    while (this.clock.step());
    return entries;
  }
}

const failure = (work: Promise<unknown>): Promise<MillraceError> =>
  work.then(
    () => {
      throw new Error('It has not failed.');
    },
    (error: unknown) => error as MillraceError,
  );

function expected(range: KeyGroupRange, times = 1): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { user } of visits) if (isIn(range, user)) counts[user] = (counts[user] ?? 0) + times;
  return counts;
}

describe('the option keyGroups', () => {
  test.each<unknown>([
    null,
    64,
    [],
    {},
    { first: 0 },
    { first: -1, last: 3 },
    { first: 0, last: 128 },
    { first: 5, last: 4 },
    { first: 0.5, last: 4 },
    { first: '0', last: '4' },
  ])('is refused as %j', (keyGroups) => {
    const create = (): unknown =>
      createJob({ name: 'x', keyGroups: keyGroups as never, checkpoints: { dir: 'memory://lake/c' } });
    expect(create).toThrow(expect.objectContaining({ code: 'InvalidOption', key: 'keyGroups' }));
  });

  test.each<unknown>([[[]], [[7]], ['not a uri'], [['memory://lake/a', 'memory://lake/a']]])(
    'from is refused as %j',
    (from) => {
      const create = (): unknown =>
        createJob({
          name: 'x',
          from: from as never,
          logger: silentLogger,
          checkpoints: { dir: 'memory://lake/c' },
        });
      expect(create).toThrow(
        expect.objectContaining({ name: expect.stringMatching(/InvalidOption|InvalidUri/) as string }),
      );
    },
  );

  test('limits the keys that the operators accept', async () => {
    const lake = new Jobs();
    const keyGroups = keyGroupRange(0, 2);
    const { run } = lake.counting({ keyGroups });
    await run();
    expect(lake.counts('test')).toEqual(expected(keyGroups));
  });

  test('makes a record of another key an error that says where it belongs', async () => {
    const lake = new Jobs();
    const other = visits.find(({ user }) => keyGroupOf(user) > 63)!;
    const error = await failure(lake.counting({ keyGroups: keyGroupRange(0, 2), routed: false }).run());
    expect(error).toMatchObject({ code: 'KeyOutsideRange', retryable: false });
    expect(error.message).toBe(
      `Operator per-user got a record with key "${other.user}", which is in key group ${keyGroupOf(other.user)}, and has the state of key groups 0 to 63 only. Send each record to the job that has its key group: keyGroupOf(key) returns the group of a key, and records(filter(…)) leaves others out.`,
    );
  });

  test('holds for every operator by key', async () => {
    const lake = new Jobs();
    const latest = (flow: Flow<Visit>) =>
      flow.pipe(latestByKey('latest', { key: ({ user }) => user, comparator: () => false }));
    const options = { keyGroups: keyGroupRange(0, 2), routed: false, operator: latest };
    expect(await failure(lake.counting(options).run())).toMatchObject({ code: 'KeyOutsideRange' });
  });

  test('rejects an operator with one state for all records when the job starts', async () => {
    const lake = new Jobs();
    const total = (flow: Flow<Visit>) =>
      flow.pipe(scanState('total', (sum, { n }) => ({ n: sum.n + n }), { n: 0 }));
    const { run, events } = lake.counting({ keyGroups: { first: 0, last: 126 }, operator: total });
    const error = await failure(run());
    expect(error).toMatchObject({ code: 'KeyOutsideRange' });
    expect(error.message).toContain(
      'Operator total has one state for all records, and its job has key groups 0 to 126 only.',
    );
    expect(events.some(({ type }) => type === 'running')).toBe(false);
    await lake.counting({ name: 'other', keyGroups: all, operator: total }).run();
  });

  test('is fixed for the life of a job, and an error changes nothing', async () => {
    const lake = new Jobs();
    const keyGroups = keyGroupRange(0, 2);
    await lake.counting({ keyGroups }).run();
    const before = lake.keys('checkpoints/');
    for (const changed of [
      { first: 0, last: 31 },
      { first: 0, last: 64 },
      { first: 64, last: 127 },
      undefined,
    ]) {
      const error = await failure(lake.counting(changed === undefined ? {} : { keyGroups: changed }).run());
      expect(error).toMatchObject({ code: 'KeyGroupsChanged', retryable: false });
      expect(error.message).toContain('keyGroups: { first: 0, last: 63 }');
    }
    expect(lake.keys('checkpoints/')).toEqual(before);
    await lake.counting({ keyGroups }).run();
    expect(lake.counts('test')).toEqual(expected(keyGroups));
  });

  test('of all key groups is the same as none', async () => {
    const lake = new Jobs();
    await lake.counting().run();
    await lake.counting({ keyGroups: all }).run();
    expect(await failure(lake.counting({ keyGroups: { first: 0, last: 126 } }).run())).toMatchObject({
      code: 'KeyGroupsChanged',
    });
  });
});

describe('a job with key groups that begins with a savepoint of a job with all', () => {
  test('has the state of its own, and continues at the position of the source', async () => {
    const lake = new Jobs();
    const from = await lake.interrupted({});
    const before = lake.lines('out/test') as Visit[];
    expect(before.length).toBeLessThan(visits.length);
    for (const [i, keyGroups] of [0, 1, 2].map((each) => [each, keyGroupRange(each, 3)] as const)) {
      await lake.counting({ name: `part-${i}`, from, keyGroups }).run();
      expect(lake.counts(`part-${i}`)).toEqual(expected(keyGroups));
    }
    const numbers = (lake.lines('out/') as Visit[]).map(({ n }) => n).sort((a, b) => a - b);
    expect(numbers).toEqual(visits.map(({ n }) => n));
  });

  test('copies no segment, and reads no block, that has other groups only', async () => {
    const lake = new Lake();
    const noise = seeded(3);
    const text = (): string => Array.from({ length: 400 }, () => noise().toString(36)).join('');
    lake.put(
      'raw/a.ndjson',
      Array.from({ length: 900 }, (_, n) => ({ user: `user-${n}`, text: text() })),
    );
    const { store, counts } = countingRequests(lake.store);
    const stores = { open: (uri: string) => ({ ...lake.stores.open(uri), store, reserved: store }) };
    const run = async (options: Partial<JobOptions>): Promise<{ readonly bytes: number; uri: string }> => {
      const { job } = lake.job({ stores, random: Math.random, ...options });
      const { keyGroups = all } = options;
      const leaf = job
        .source('raw', files('memory://lake/raw/*', { format: ndjson<{ user: string; text: string }>() }))
        .pipe(
          records(filter(({ user }) => isIn(keyGroups, user))),
          latestByKey('latest', { key: ({ user }) => user, comparator: () => true }),
          fileSink('out', `memory://lake/out/${job.name}`, { format: ndjson() }),
        );
      let uri: Promise<string> | undefined;
      let before = 0;
      job.events$.subscribe(({ type }) => {
        if (type === 'running' && options.from === undefined) uri = job.savepoint('memory://lake/savepoints');
        if (type === 'claimed') before = counts().bytesDown;
        if (type === 'running') running = counts().bytesDown - before;
      });
      let running = 0;
      await lake.run(job, leaf);
      return { bytes: running, uri: (await uri) ?? '' };
    };
    await run({ name: 'whole' });
    const { uri, bytes } = await run({ name: 'whole' });
    const part = await run({ name: 'part', from: uri, keyGroups: { first: 60, last: 63 } });
    expect(part.bytes).toBeGreaterThan(0);
    expect(part.bytes).toBeLessThan(bytes / 6);
  });
});

describe('a job that begins with savepoints of several jobs', () => {
  test('has the state of all, in any order, and continues from its own checkpoints after that', async () => {
    const lake = new Jobs();
    const [low, high] = await lake.halves();
    lake.put('more/b.ndjson', visits);
    const more = { name: 'whole', source: 'more', input: 'memory://lake/more/*', allowDropped: ['raw'] };
    await lake.counting({ ...more, from: [high, low] }).run();
    expect(lake.counts('whole')).toEqual(expected(all, 2));
    lake.store.delete(lake.keys('savepoints/')).subscribe();
    await lake.counting({ ...more, from: [low, `${high}/`] }).run();
    expect(await failure(lake.counting({ ...more, from: [low] }).run())).toMatchObject({
      code: 'AlreadyStarted',
      message: expect.stringContaining(`did not begin with the savepoint ${low}/`) as string,
    });
    expect(lake.counts('whole')).toEqual(expected(all, 2));
  });

  test('may have any range of them', async () => {
    const lake = new Jobs();
    const from = await lake.halves();
    const keyGroups = { first: 40, last: 80 };
    await lake.counting({ name: 'middle', from, keyGroups }).run();
    expect(lake.counts('middle')).toEqual(expected(keyGroups));
  });

  test('and that made one itself, of its own key groups', async () => {
    const lake = new Jobs();
    const from = await lake.halves();
    const keyGroups = { first: 40, last: 80 };
    const uri = await lake.savepoint({ name: 'middle', from, keyGroups });
    await lake.counting({ name: 'next', from: uri, keyGroups: { first: 50, last: 80 } }).run();
    expect(lake.counts('next')).toEqual(expected({ first: 50, last: 80 }));
    expect(await failure(lake.counting({ name: 'more', from: uri }).run())).toMatchObject({
      code: 'KeyGroupsMismatch',
    });
  });

  test('an export has its key groups, and so has the savepoint that is made of it', async () => {
    const lake = new Jobs();
    const { stores, clock } = lake;
    const [, high] = await lake.halves();
    const parts = { config: loadConfig({ env: {}, file: false }), stores, clock };
    const done = async (work: Observable<unknown>): Promise<void> => {
      const over = lastValueFrom(work);
      while (clock.step());
      await over;
    };
    await done(openState('memory://lake/checkpoints/part-0', parts).export('memory://lake/exported'));
    await done(importState('memory://lake/exported', 'memory://lake/imported', parts));
    const alone = { name: 'alone', from: 'memory://lake/imported' };
    expect(await failure(lake.counting(alone).run())).toMatchObject({ code: 'KeyGroupsMismatch' });
    await lake.counting({ name: 'whole', from: ['memory://lake/imported', high] }).run();
    expect(lake.counts('whole')).toEqual(expected(all));
  });

  test.each([
    ['an object that they share once', true, all],
    ['no object that it does not need', false, keyGroupRange(0, 2)],
  ])('copies %s', async (_, shared, keyGroups) => {
    const lake = new Jobs();
    const from = await lake.halves(shared ? { from: await lake.savepoint({}) } : {});
    const copied: string[] = [];
    const store = decorate(lake.store, (call, run) => {
      const isCopy = call.method === 'put' || call.method === 'copy' || call.method === 'createUpload';
      if (isCopy && call.key.startsWith('checkpoints/next/data/0000000000/')) copied.push(call.key);
      return run;
    });
    const stores = { open: (uri: string) => ({ ...lake.stores.open(uri), store, reserved: store }) };
    await lake.counting({ name: 'next', from, keyGroups, stores }).run();
    expect(copied).toHaveLength(1);
    expect(lake.counts('next')).toEqual(expected(keyGroups));
  });

  test.each<[string, KeyGroupRange[], KeyGroupRange, string]>([
    [
      'a gap',
      [
        { first: 0, last: 50 },
        { first: 60, last: 127 },
      ],
      all,
      'lack key groups 51 to 59.',
    ],
    ['the start missing', [{ first: 3, last: 127 }], { first: 2, last: 9 }, 'lack key group 2.'],
    ['the end missing', [{ first: 0, last: 63 }], { first: 60, last: 70 }, 'lack key groups 64 to 70.'],
    ['nothing', [{ first: 0, last: 9 }], { first: 10, last: 19 }, 'lack key groups 10 to 19.'],
    [
      'gaps',
      [
        { first: 2, last: 3 },
        { first: 6, last: 7 },
      ],
      { first: 1, last: 8 },
      'lack key group 1 and key groups 4 to 5 and key group 8.',
    ],
    [
      'an overlap',
      [
        { first: 0, last: 64 },
        { first: 64, last: 127 },
      ],
      all,
      'both have key group 64.',
    ],
    [
      'an overlap elsewhere',
      [
        { first: 0, last: 70 },
        { first: 64, last: 127 },
      ],
      { first: 0, last: 5 },
      'both have key groups 64 to 70.',
    ],
  ])('is not started with %s, and nothing is begun', async (_, ranges, keyGroups, message) => {
    const lake = new Jobs();
    const from = await lake.parts(ranges);
    const error = await failure(lake.counting({ name: 'merged', from, keyGroups }).run());
    expect(error).toMatchObject({ code: 'KeyGroupsMismatch', retryable: false });
    expect(error.message).toContain(message);
    expect(lake.keys('checkpoints/merged/')).toEqual([]);
  });

  test('is not started if a source has two positions, unless each has its own id', async () => {
    const lake = new Jobs();
    const low = await lake.savepoint({ name: 'low', keyGroups: keyGroupRange(0, 2) });
    lake.put('raw/b.ndjson', visits);
    const high = await lake.savepoint({ name: 'high', keyGroups: keyGroupRange(1, 2) });
    const error = await failure(lake.counting({ name: 'merged', from: [low, high] }).run());
    expect(error).toMatchObject({ code: 'SavepointsDiffer', retryable: false });
    expect(error.message).toContain("source 'raw' is at one position in the savepoint");
    expect(lake.keys('checkpoints/merged/')).toEqual([]);
    const dropped = { name: 'merged', from: [low, high], allowDropped: ['raw'], source: 'anew' };
    await lake.counting(dropped).run();
    expect(Object.keys(lake.counts('merged'))).toHaveLength(40);
  });

  test('is not started if some have finished, and others not', async () => {
    const lake = new Jobs();
    const low = await lake.savepoint({ name: 'low', keyGroups: keyGroupRange(0, 2) });
    const high = await lake.savepoint({ name: 'high', keyGroups: keyGroupRange(1, 2) }, false);
    const error = await failure(lake.counting({ name: 'merged', from: [low, high] }).run());
    expect(error).toMatchObject({ code: 'SavepointsDiffer' });
    expect(error.message).toMatch(
      /low-.* is of a job that has finished, and .*high-.* of one that has not\./,
    );
  });

  test('is not started if one of them lacks an operator', async () => {
    const lake = new Jobs();
    const low = await lake.savepoint({ name: 'low', keyGroups: keyGroupRange(0, 2) });
    const other = { keyGroups: keyGroupRange(1, 2), operator: (flow: Flow<Visit>) => flow };
    const high = await lake.savepoint({ name: 'high', ...other });
    const error = await failure(lake.counting({ name: 'merged', from: [low, high] }).run());
    expect(error).toMatchObject({ code: 'SavepointsDiffer' });
    expect(error.message).toMatch(
      /operator 'per-user' has state in the savepoint .*low-.*, and is not in .*high-/,
    );
    // Where that savepoint has none of the job's key groups, it need not have the operator.
    await lake.counting({ name: 'low-again', from: [low, high], keyGroups: { first: 0, last: 5 } }).run();
    expect(lake.counts('low-again')).toEqual(expected({ first: 0, last: 5 }));
  });

  test('is not started if state that is not by key differs, unless it may be dropped', async () => {
    /** Its state is the number of records. */
    class Numbered extends FlowSubscriber<Visit, Visit> {
      #n = 0;
      constructor(
        out: Subscriber<Visit | Signal>,
        private readonly id: string,
      ) {
        super(out);
      }
      override onOpen(open: Open): void {
        open.attempt.register({ id: this.id, kind: 'operator' });
        this.#n = Number(open.attempt.restored(this.id)?.snapshot ?? 0);
        super.onOpen(open);
      }
      override onRecord(visit: Visit): void {
        this.#n++;
        this.emit(visit);
      }
      override onBarrier(each: Barrier): void {
        super.onBarrier(each);
        each.ack(this.id, { snapshot: this.#n });
      }
    }
    const lake = new Jobs();
    const numbered = (id: string) => (flow: Flow<Visit>) =>
      counted('per-user')(flow.pipe(flowOperator<Visit, Visit>((out) => new Numbered(out, id))));
    const from = await lake.halves({ operator: numbered('n') });
    const error = await failure(lake.counting({ name: 'merged', from, operator: numbered('n') }).run());
    expect(error).toMatchObject({ code: 'SavepointsDiffer' });
    expect(error.message).toContain("operator 'n' has one state in the savepoint");
    await lake.counting({ name: 'merged', from, operator: numbered('n-2'), allowDropped: ['n'] }).run();
    expect(lake.counts('merged')).toEqual(expected(all));
  });

  test('has the earliest event time, without idle inputs', async () => {
    const lake = new Jobs();
    const seen: number[] = [];
    /** Notes event time, of which each job has another. */
    class Noting extends FlowSubscriber<Visit, Visit> {
      override onRecord(visit: Visit): void {
        this.emit(visit);
      }
      override onWatermark(mark: Watermark): void {
        seen.push(mark.time);
        super.onWatermark(mark);
      }
    }
    const timed = (flow: Flow<Visit>) =>
      counted('per-user')(
        flow.pipe(
          watermarks('time', { timestamp: ({ n }) => n }),
          flowOperator<Visit, Visit>((out) => new Noting(out)),
        ),
      );
    const last: number[] = [];
    const from: string[] = [];
    for (const [i, keyGroups] of [keyGroupRange(0, 2), keyGroupRange(1, 2)].entries()) {
      from.push(await lake.savepoint({ name: `part-${i}`, keyGroups, operator: timed }));
      last.push(seen.at(-1)!);
    }
    expect(new Set(last).size).toBe(2);
    seen.length = 0;
    await lake.counting({ name: 'merged', from, operator: timed }).run();
    expect(seen).toEqual([Math.min(...last)]);
    expect(lake.counts('merged')).toEqual(expected(all));
  });

  test('is not started if their states have got other names', async () => {
    const lake = new Jobs();
    const low = await lake.savepoint({ name: 'low', keyGroups: keyGroupRange(0, 2) });
    const renamed = (flow: Flow<Visit>) =>
      flow.pipe(
        keyed('per-user', {
          key: ({ user }) => user,
          state: { visits: valueState(0, { formerly: 'count' }) },
          onRecord: (visit) => [visit],
        }),
      );
    const high = { name: 'high', keyGroups: keyGroupRange(1, 2) };
    await lake.savepoint(high);
    const after = await lake.savepoint({ ...high, operator: renamed }, false);
    const error = await failure(lake.counting({ name: 'merged', from: [low, after] }).run());
    expect(error).toMatchObject({ code: 'StateSchemaMismatch' });
    expect(error.message).toContain(
      'Run each job with one declaration of states, and make its savepoint again.',
    );
    expect(lake.keys('checkpoints/merged/')).toEqual([]);
  });
});
