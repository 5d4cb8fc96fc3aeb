import { concat, merge, NEVER, Observable, share, throwError, type Subscriber } from 'rxjs';
import { createStores, decorate, StoreError, type StoreCall } from '../../src/entries/stores.js';
import {
  credit as creditOf,
  flowOperator,
  FlowSubscriber,
  type Barrier,
  type Clock,
  type Credit,
  type Open,
  type Source,
  type StallEvent,
  type Waiting,
} from '../../src/entries/operators.js';
import {
  fileSink,
  files,
  keyed,
  ndjson,
  values,
  valueState,
  type Flow,
  type FlowOperator,
  type Job,
  type JobEvent,
  type Signal,
} from '../../src/index.js';
import { processMemory } from '../../src/job/memory/index.js';
import { delayed } from '../../src/testing/index.js';
import { Lake } from './harness.js';

const second = 1000;
const minute = 60 * second;

interface Line {
  readonly n: number;
}

const lines = (count: number): readonly Line[] => Array.from({ length: count }, (_, n) => ({ n }));

/** A lake with an object of 890 bytes. */
function lake(): Lake {
  const world = new Lake();
  world.put('in/a', lines(100));
  return world;
}

/** A lake with more than a source sends at once. */
function deepLake(): Lake {
  const world = new Lake();
  world.put('in/a', lines(20_000));
  return world;
}

const input = (uri = 'memory://lake/in/*') => files(uri, { format: ndjson<Line>() });
const out = <A>(id = 'out') => fileSink<A>(id, `memory://lake/${id}`, { format: ndjson() });

/**
 * Runs leaves for a time in virtual time, or until nothing is left to do. Returns the reported stalls with their times.
 */
async function stallsOf(
  world: Lake,
  { job, events }: { readonly job: Job; readonly events: readonly JobEvent[] },
  leaves: readonly Observable<unknown>[],
  duration: number,
): Promise<readonly (StallEvent & { readonly at: number })[]> {
  const start = world.clock.now();
  const reported: (StallEvent & { readonly at: number })[] = [];
  job.events$.subscribe((event) => {
    if (event.type === 'stalled' || event.type === 'resumed')
      reported.push({ ...event, at: (world.clock.now() - start) / second });
  });
  const run = job.run(...(leaves as [Observable<unknown>]));
  let failure: unknown;
  run.catch((error: unknown) => (failure = error));
  for (let turn = 0; turn < 20; turn++) {
    world.clock.run(() => world.clock.now() - start >= duration);
    await Promise.resolve();
  }
  if (failure instanceof Error) throw failure;
  expect(events.length).toBeGreaterThan(0);
  return reported;
}

const brief = (reported: readonly (StallEvent & { readonly at: number })[]) =>
  reported.map(({ type, at, message }) => `${at} ${type}: ${message}`);

/** Stores whose requests go through `each`. */
const storesOf = (world: Lake, each: <T>(call: StoreCall, run: Observable<T>) => Observable<T>) =>
  createStores({ schemes: { memory: () => decorate(world.store, each) }, clock: world.clock });

/** Emits nothing, and completes after so many milliseconds of virtual time. */
const pause = (world: Lake, milliseconds: number) =>
  new Observable<never>((subscriber) =>
    world.clock.after(milliseconds, () => {
      subscriber.complete();
    }),
  );

/** A custom operator that ignores credit. */
class SwallowsCredit extends FlowSubscriber<Line, Line> {
  override onRecord(value: Line): void {
    this.emit(value);
  }
  override onCredit(): void {
    // Forgotten.
  }
}
const swallowsCredit = (): FlowOperator<Line, Line> => flowOperator((down) => new SwallowsCredit(down));

/** A custom sink that releases credit and does not pass it on. */
class Counting extends FlowSubscriber<Line, never> {
  #open: Open | undefined;
  override onOpen(open: Open): void {
    this.#open = open;
    open.attempt.terminal('counting', open.sources);
    this.emit(open);
  }
  override onRecord(): void {
    // It counts.
  }
  override onCredit(credit: Credit): void {
    this.#open?.attempt.release('counting', credit);
  }
}
const counting = (): FlowOperator<Line, never> => flowOperator((down) => new Counting(down));

/** Acks barriers only when it is told to. */
class Acks extends FlowSubscriber<Line, Line> {
  constructor(
    down: Subscriber<Line | Signal>,
    private readonly id: string,
    private readonly hold: (barrier: Barrier, ack: () => void) => void,
  ) {
    super(down);
  }
  override onOpen(open: Open): void {
    open.attempt.register({ id: this.id, kind: 'operator' });
    this.emit(open);
  }
  override onRecord(value: Line): void {
    this.emit(value);
  }
  override onBarrier(barrier: Barrier): void {
    this.emit(barrier);
    this.hold(barrier, () => {
      barrier.ack(this.id, {});
    });
  }
}
const acks = (id: string, hold: (barrier: Barrier, ack: () => void) => void): FlowOperator<Line, Line> =>
  flowOperator((down) => new Acks(down, id, hold));

/** A source that waits for new data, for as long as it takes. */
const tailing: Source<Line> = {
  description: 'tailing',
  open: () => ({
    poll: () => 'wait',
    position: () => 0,
    bytes: 0,
    close: () => undefined,
  }),
};

const quiet = { checkpoints: { interval: 'none' } } as const;

test('a leaf that gives no credit is named, with the sink in it', async () => {
  const world = deepLake();
  const { job, events } = world.job({ ...quiet, budget: 1 });
  const flow = job.source('in', input()).pipe(swallowsCredit(), out());
  const reported = await stallsOf(world, { job, events }, [flow], 10 * minute);
  expect(brief(reported)).toEqual([
    "30 stalled: Source 'in' is stalled: no credit from leaf 0 ('out') for 30 s. It is slow or stuck, or an operator before it holds records or Credit signals back.",
  ]);
  expect(reported[0]).toMatchObject({
    job: 'test',
    forMs: 30_000,
    waiting: { on: 'credit', source: 'in', leaves: [0], operators: ['out'] } satisfies Waiting,
  });
});

test('of several leaves the slow one is named', async () => {
  const world = deepLake();
  const { job, events } = world.job({ ...quiet, budget: 1 });
  const flow = job.source('in', input());
  const reported = await stallsOf(
    world,
    { job, events },
    [flow.pipe(out('fine')), flow.pipe(swallowsCredit(), values()), flow.pipe(out('too'))],
    10 * minute,
  );
  expect(brief(reported)).toEqual([
    "30 stalled: Source 'in' is stalled: no credit from leaf 1 for 30 s. The consumer of its records there is stuck, or an operator of it does not pass Credit signals on.",
  ]);
});

test('a sink that releases credit and does not pass it on is detected while checkpoints continue', async () => {
  const world = deepLake();
  const { job, events } = world.job({ budget: 1, checkpoints: { interval: '10s' } });
  const flow = job.source('in', input());
  const reported = await stallsOf(
    world,
    { job, events },
    [flow.pipe(out()), flow.pipe(counting())],
    10 * minute,
  );
  expect(brief(reported)).toEqual([
    "30 stalled: Source 'in' is stalled: no credit from leaf 1 for 30 s. The consumer of its records there is stuck, or an operator of it does not pass Credit signals on.",
  ]);
  expect(events.filter(({ type }) => type === 'checkpoint-durable').length).toBeGreaterThan(50);
});

test('if leaves share a flow, only the sink is named', async () => {
  const world = deepLake();
  const { job, events } = world.job({ ...quiet, budget: 1 });
  const flow = job.source('in', input()).pipe(share());
  const reported = await stallsOf(
    world,
    { job, events },
    [flow.pipe(out('fine')), flow.pipe(swallowsCredit(), out('late'))],
    minute,
  );
  expect(reported.map(({ waiting }) => waiting)).toEqual([
    { on: 'credit', source: 'in', leaves: [1], operators: ['late'] },
  ]);
});

test('a store that does not answer a source is reported, with what was asked for', async () => {
  for (const [method, text] of [
    ['get', 'bytes 0 to 890 of memory://lake/in/a'],
    ['list', 'the listing of memory://lake/in/'],
  ] as const) {
    const world = lake();
    const stores = storesOf(world, (call, run) =>
      call.method === method && !call.key.startsWith('checkpoints') ? NEVER : run,
    );
    const { job, events } = world.job({ ...quiet, stores });
    const reported = await stallsOf(
      world,
      { job, events },
      [job.source('in', input()).pipe(out())],
      10 * minute,
    );
    expect(brief(reported)).toEqual([
      `30 stalled: Source 'in' is stalled: it has been waiting for ${text} for 30 s.`,
    ]);
  }
});

test('a source that waits for new data is not stalled', async () => {
  const world = lake();
  const { job, events } = world.job();
  const flow = job.source('in', tailing).pipe(out());
  expect(await stallsOf(world, { job, events }, [flow], 60 * minute)).toEqual([]);
});

test('a store that answers slowly is not stalled, nor is a long listing in which nothing matches', async () => {
  const world = new Lake();
  for (let n = 0; n < 5000; n++) world.put(`in/${String(n).padStart(5, '0')}.txt`, []);
  world.put('in/z.ndjson', lines(1));
  const stores = storesOf(world, (call, run) =>
    call.method === 'list' && call.key.startsWith('in') ? concat(pause(world, 29 * second), run) : run,
  );
  const { job, events } = world.job({ ...quiet, stores });
  const flow = job.source('in', input('memory://lake/in/*.ndjson')).pipe(out());
  expect(await stallsOf(world, { job, events }, [flow], 60 * minute)).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: 'finished' });
});

test('a checkpoint that lacks acks names the operators that have not acked, and its continuation is reported', async () => {
  const world = lake();
  const { job, events } = world.job({ checkpoints: { interval: '10s' } });
  let once = true;
  const slow = acks('slow', (_, ack) => {
    if (once) world.clock.after(45 * second, ack);
    else ack();
    once = false;
  });
  const flow = job.source('in', tailing).pipe(slow, out());
  expect(brief(await stallsOf(world, { job, events }, [flow], 5 * minute))).toEqual([
    "40 stalled: Checkpoint 1 has been waiting for the ack of 'slow' for 30 s. It is slow to store its state or output, or records before the barrier are still being worked on.",
    '55 resumed: Checkpoint 1 continues after 45 s.',
  ]);
});

test('a checkpoint that waits for the store, and a job that waits for it to begin', async () => {
  for (const [written, text] of [
    [
      2,
      '40 stalled: Checkpoint 1 has been waiting for the store to answer whether its manifest is written, for 30 s.',
    ],
    [
      1,
      '30 stalled: The job has not started for 30 s: the store has not answered the claim of its log below checkpoints.dir.',
    ],
  ] as const) {
    const world = lake();
    let puts = 0;
    const stores = storesOf(world, (call, run) =>
      call.method === 'put' && call.key.includes('/log/') && ++puts >= written ? NEVER : run,
    );
    const { job, events } = world.job({ stores });
    const flow = job.source('in', tailing).pipe(out());
    expect(brief(await stallsOf(world, { job, events }, [flow], 5 * minute))).toEqual([text]);
  }
});

test('a store that rejects each request has answered: its error is reported', async () => {
  for (const [written, text] of [
    [
      2,
      '40 stalled: Checkpoint 1 has been trying to write its manifest for 30 s; the last request failed: Busy.',
    ],
    [
      1,
      '30 stalled: The job has been trying to claim its log below checkpoints.dir for 30 s; the last request failed: Busy.',
    ],
  ] as const) {
    const world = lake();
    let puts = 0;
    const stores = storesOf(world, (call, run) =>
      call.method === 'put' && call.key.includes('/log/') && ++puts >= written
        ? throwError(() => new StoreError('Throttled', 'Busy.'))
        : run,
    );
    const { job, events } = world.job({ stores });
    const flow = job.source('in', tailing).pipe(out());
    expect(brief(await stallsOf(world, { job, events }, [flow], 5 * minute))).toEqual([text]);
  }
});

test('output that is not published at the end is reported, with its sink', async () => {
  const world = lake();
  const stores = storesOf(world, (call, run) => (call.method === 'completeUpload' ? NEVER : run));
  const { job, events } = world.job({ ...quiet, stores });
  const flow = job.source('in', input()).pipe(out());
  expect(brief(await stallsOf(world, { job, events }, [flow], 5 * minute))).toEqual([
    "30 stalled: The last checkpoint is durable, but 'out' has published nothing for 30 s, so the job cannot end.",
  ]);
});

test('a sweep that the store does not answer is reported while the job waits for it', async () => {
  const world = lake();
  const stores = storesOf(world, (call, run) => (call.method === 'listUploads' ? NEVER : run));
  const { job, events } = world.job({ stores });
  const reported = await stallsOf(
    world,
    { job, events },
    [job.source('in', input()).pipe(out())],
    5 * minute,
  );
  expect(brief(reported)).toEqual([
    '30 stalled: The last checkpoint is durable, but the store has not answered for 30 s, so the job cannot end.',
    '60 resumed: The job continues after 1 min.',
  ]);
  expect(events.at(-1)).toMatchObject({ type: 'finished' });
});

/** Numbers lines; `each` is called with every one. */
const numbered = (job: Job, each: () => void = () => undefined) =>
  job.source('in', input()).pipe(
    keyed('all', {
      key: () => 0,
      state: { count: valueState(0) },
      onRecord: (line, { count }) => {
        each();
        return [{ ...line, count: count.update((n) => n + 1) }];
      },
    }),
    out(),
  );

/** A job that stops at a savepoint. */
function stopping(world: Lake, options: Parameters<Lake['job']>[0] = {}) {
  const { job, events } = world.job({ ...quiet, ...options });
  let made: Promise<string> | undefined;
  const leaf = numbered(job, () => {
    made ??= job.savepoint('memory://lake/savepoints', { stop: true });
  });
  return { job, events, leaf, made: () => made };
}

test('a job that stops at a savepoint, or starts from one, waits for its copy', async () => {
  const world = lake();
  const first = stopping(world);
  await world.run(first.job, first.leaf);
  const from = (await first.made()) ?? '';
  const hanging = storesOf(world, (call, run) => (call.method === 'copy' ? NEVER : run));

  const second = stopping(world, { name: 'second', stores: hanging });
  const atEnd = await stallsOf(world, second, [second.leaf], 5 * minute);
  const folder = /savepoint-second-[^ :]+/.exec(atEnd[0]?.message ?? '')?.[0] ?? 'none';
  const uri = `memory://lake/savepoints/${folder}`;
  expect(brief(atEnd)).toEqual([
    `30 stalled: The job is waiting for the copy of the savepoint ${uri}: no object of it has been copied for 30 s.`,
  ]);
  expect(atEnd[0]?.waiting).toEqual({ on: 'savepoint', uri });

  const third = world.job({ ...quiet, name: 'third', from, stores: hanging });
  expect(brief(await stallsOf(world, third, [numbered(third.job)], 5 * minute))).toEqual([
    `30 stalled: The job is waiting for the copy of the savepoint ${from}: no object of it has been copied for 30 s.`,
  ]);
});

test('a savepoint whose objects arrive one after another is not stalled', async () => {
  const world = lake();
  const late = delayed(world.store, {
    clock: world.clock,
    before: ({ method }) => (method === 'copy' ? 20 * second : 0),
  });
  const stores = createStores({ schemes: { memory: () => late }, clock: world.clock });
  const { job, events } = world.job({ ...quiet, stores });
  let made: Promise<string> | undefined;
  // Copies run four at a time.
  const ids = Array.from({ length: 12 }, (_, i) => `count-${i}`);
  const leaf = ids.reduce(
    (flow: Flow<Line>, id) =>
      flow.pipe(
        keyed(id, {
          key: () => 0,
          state: { count: valueState(0) },
          onRecord: (line: Line, { count }) => {
            made ??= job.savepoint('memory://lake/savepoints', { stop: true });
            count.update((n) => n + 1);
            return [line];
          },
        }),
      ),
    job.source('in', input()),
  );
  expect(brief(await stallsOf(world, { job, events }, [leaf.pipe(out())], 5 * minute))).toEqual([]);
  const { durationMs = 0 } = events.find(({ type }) => type === 'savepoint-made') as { durationMs?: number };
  expect(durationMs).toBeGreaterThan(50 * second);
  await made;
});

test('an operator that is not ready for records is reported by its leaf', async () => {
  const world = lake();
  class NeverReady extends FlowSubscriber<Line, Line> {
    override onOpen(): void {
      // It keeps it.
    }
    override onRecord(): void {
      // None comes.
    }
  }
  const { job, events } = world.job();
  const flow = job.source('in', input());
  const leaves = [flow.pipe(out()), flow.pipe(flowOperator((down) => new NeverReady(down)))];
  expect(brief(await stallsOf(world, { job, events }, leaves, 5 * minute))).toEqual([
    '30 stalled: The job has not started for 30 s: an operator of leaf 1 is not ready for records.',
  ]);
});

test('a job that waits for memory says who waits, and what to do', async () => {
  const world = lake();
  const others = processMemory(world.clock).open({
    ...{ owner: 'other', total: 200 << 20 },
    ...{ waits: () => undefined, granted: () => undefined, exceeded: () => undefined },
  });
  others.share({ who: 'all of it', least: 1, most: 200 << 20, changed: () => undefined });
  others.start();
  world.clock.after(40 * second, () => {
    others.close();
  });
  const { job, events } = world.job({ ...quiet, memory: '200MiB' });
  const flow = job.source('in', input()).pipe(out());
  const reported = await stallsOf(world, { job, events }, [flow], 5 * minute);
  expect(brief(reported)).toEqual([
    "30 stalled: The job has not started for 30 s: source 'in' (records in flight), source 'in' (read-ahead), sink 'out' wait for memory that others in this process hold. Raise memory of createJob (execution.memory-budget), or run fewer jobs in one process.",
    '40 resumed: The job continues after 40 s.',
  ]);
  expect(reported[0]?.waiting).toEqual({
    on: 'memory',
    holders: ["source 'in' (records in flight)", "source 'in' (read-ahead)", "sink 'out'"],
  } satisfies Waiting);
  expect(events.at(-1)).toMatchObject({ type: 'finished' });
});

test('a leaf that does not complete is reported, and so is one that does in the end', async () => {
  const world = lake();
  const { job, events } = world.job(quiet);
  const flow = job.source('in', input());
  const reported = await stallsOf(
    world,
    { job, events },
    [flow.pipe(out()), merge(flow.pipe(values()), pause(world, 40 * second))],
    5 * minute,
  );
  expect(brief(reported)).toEqual([
    '30 stalled: Everything is published, but leaf 1 has not completed for 30 s, so the job cannot end. What follows values() has to complete when its input does.',
    '40 resumed: The job continues after 40 s.',
  ]);
  expect(events.at(-1)).toMatchObject({ type: 'finished' });
});

test('a leaf that releases credit now and then is reported at growing intervals', async () => {
  const world = deepLake();
  const { job, events } = world.job({ ...quiet, budget: 1 });
  class Slow extends FlowSubscriber<Line, Line> {
    override onRecord(value: Line): void {
      this.emit(value);
    }
    override onCredit(credit: Credit): void {
      world.clock.after(31 * second, () => {
        this.turn(() => {
          this.emit(credit);
        });
      });
    }
  }
  const flow = job.source('in', input()).pipe(
    flowOperator<Line, Line>((down) => new Slow(down)),
    out(),
  );
  const reported = await stallsOf(world, { job, events }, [flow], 60 * minute);
  expect(reported.map(({ type, at }) => [type, at])).toEqual([
    ['stalled', 30],
    ['resumed', 31],
  ]);
  expect(events.at(-1)).toMatchObject({ type: 'finished' });
});

test('credit for a part of what is out is progress', async () => {
  const world = deepLake();
  const { job, events } = world.job({ ...quiet, budget: 1 });
  class Halving extends FlowSubscriber<Line, never> {
    #open: Open | undefined;
    override onOpen(open: Open): void {
      this.#open = open;
      open.attempt.terminal('halving', open.sources);
      this.emit(open);
    }
    override onRecord(): void {
      // It is slow.
    }
    override onCredit(credit: Credit): void {
      this.emit(credit);
      world.clock.after(40 * second, () => {
        this.#open?.attempt.release('halving', creditOf(credit.source, credit.bytes - 1));
      });
    }
  }
  const flow = job.source('in', input()).pipe(flowOperator<Line, never>((down) => new Halving(down)));
  const reported = await stallsOf(world, { job, events }, [flow], 5 * minute);
  expect(reported.map(({ type, at }) => [type, at])).toEqual([
    ['stalled', 30],
    ['resumed', 40],
    ['stalled', 100],
  ]);
});

test('an attempt that ends while it waits leaves no timer', async () => {
  const world = lake();
  const { job } = world.job({ ...quiet, stores: storesOf(world, () => NEVER) });
  const stop = new AbortController();
  const run = job.run(job.source('in', input()).pipe(out()), { signal: stop.signal });
  stop.abort();
  await expect(run).resolves.toEqual({ outcome: 'stopped' });
  expect(world.clock.step()).toBe(false);
});

test('durations are measured by the monotonic clock, not by the system time', async () => {
  const waits: readonly ((flow: Flow<Line>) => Observable<unknown>)[] = [
    (flow) => flow.pipe(swallowsCredit(), out()),
    (flow) =>
      flow.pipe(
        acks('never', () => undefined),
        out(),
      ),
    (flow) => merge(flow.pipe(values()), NEVER),
  ];
  for (const [index, leaf] of waits.entries()) {
    const world = deepLake();
    const { clock } = world;
    const start = clock.now();
    const split: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.now() - start,
      after: (delay, work) => clock.after(delay, work),
      yield: (work) => clock.yield(work),
    };
    const { job, events } = world.job({ ...quiet, clock: split, ...(index === 0 ? { budget: 1 } : {}) });
    const reported = await stallsOf(world, { job, events }, [leaf(job.source('in', input()))], 5 * minute);
    expect(reported.map(({ at, forMs }) => [at, forMs])).toEqual([[30, 30_000]]);
  }
});

test('the time limit can be set or turned off; a job that is over leaves no timer', async () => {
  for (const [after, expected] of [
    ['2 s', [2]],
    ['none', []],
  ] as const) {
    const world = lake();
    const { job, events } = world.job({ ...quiet, stalled: { after } });
    const never = acks('never', () => undefined);
    const flow = job.source('in', input()).pipe(never, out());
    const reported = await stallsOf(world, { job, events }, [flow], 5 * minute);
    expect(reported.map(({ at }) => at)).toEqual(expected);
  }
  expect(() => lake().job({ stalled: { after: 0 } })).toThrow('stalled.after');
  const world = lake();
  const { job } = world.job(quiet);
  await world.run(job, job.source('in', input()).pipe(out()));
  expect(world.clock.step()).toBe(false);
});
