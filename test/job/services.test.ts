/** Services of a user's own: made at the first use, kept over restarts, closed at the end. */
import { map } from 'rxjs';
import { FlowSubscriber, flowOperator, Service, type Open } from '../../src/entries/operators.js';
import {
  MillraceError,
  createJob,
  files,
  provide,
  records,
  silentLogger,
  text,
  values,
  type FlowOperator,
} from '../../src/index.js';
import { RunServices } from '../../src/job/services.js';
import { Lake } from './harness.js';

interface Pool {
  readonly n: number;
}

const pool = new Service<Pool>('pg');

class Uses extends FlowSubscriber<string, string> {
  constructor(
    down: ConstructorParameters<typeof FlowSubscriber<string, string>>[0],
    private readonly seen: Pool[],
  ) {
    super(down);
  }
  override onOpen(open: Open): void {
    this.seen.push(open.attempt.use(pool));
    this.emit(open);
  }
  override onRecord(record: string): void {
    this.emit(record);
  }
}
const uses = (seen: Pool[]): FlowOperator<string, string> => flowOperator((down) => new Uses(down, seen));

/** Runs a job of which each of two branches uses the pool; `fails` is asked for each record. */
async function run(
  options: {
    readonly make?: () => Pool;
    readonly close?: (made: Pool) => unknown;
    readonly fails?: () => boolean;
    readonly used?: boolean;
  } = {},
) {
  const world = new Lake();
  world.put('in/a.txt', ['1', '2']);
  const log: string[] = [];
  const seen: Pool[] = [];
  let n = 0;
  const make = options.make ?? ((): Pool => ({ n: ++n }));
  const provided = provide(
    pool,
    () => {
      log.push('made');
      return make();
    },
    (made) => {
      log.push(`closes ${made.n}`);
      return options.close?.(made);
    },
  );
  const warnings: unknown[] = [];
  const logger = {
    debug: () => undefined,
    info: () => undefined,
    error: () => undefined,
    warn: (...all: unknown[]) => warnings.push(all),
  };
  const { job, events } = world.job({ services: [provided], logger });
  const flow = job.source('in', files('memory://lake/in/*', { format: text() }));
  const failing = records(
    map((line: string) => {
      if (options.fails?.() === true) throw new MillraceError('Flaky', 'It is away.', { retryable: true });
      return line;
    }),
  );
  const branch = () =>
    options.used === false ? flow.pipe(failing, values()) : flow.pipe(uses(seen), failing, values());
  const outcome = await world.run(job, branch(), branch()).then(
    (result) => result.outcome,
    (error: unknown) => (error as MillraceError).code,
  );
  return { outcome, log, seen, warnings, events };
}

test('one is made for a run, at its first use, and closed at its end', async () => {
  const { outcome, log, seen } = await run();
  expect([outcome, log, seen]).toEqual(['finished', ['made', 'closes 1'], [{ n: 1 }, { n: 1 }]]);
});

test('restarts keep it', async () => {
  let failures = 0;
  const { outcome, log, seen } = await run({ fails: () => failures++ < 2 });
  expect([outcome, log, seen.length]).toEqual(['finished', ['made', 'closes 1'], 6]);
});

test('one that nobody uses is not made', async () => {
  const { outcome, log } = await run({ used: false });
  expect([outcome, log]).toEqual(['finished', []]);
});

test('the one made last is closed first, and the others after it', async () => {
  const log: string[] = [];
  const services = ['a', 'b'].map((name) =>
    provide(
      new Service<string>(name),
      () => name,
      async (made) => {
        await Promise.resolve();
        log.push(made);
      },
    ),
  );
  const run = new RunServices(services, silentLogger);
  run.get('a');
  run.get('b');
  await run.close();
  expect(log).toEqual(['b', 'a']);
});

test('it is closed, and waited for, when the job has failed', async () => {
  let closed = false;
  const { outcome } = await run({
    fails: () => {
      throw new MillraceError('Broken', 'for good');
    },
    close: () => Promise.resolve().then(() => (closed = true)),
  });
  expect([outcome, closed]).toEqual(['Broken', true]);
});

test('one that cannot be made fails the attempt, and is tried again by the next', async () => {
  let tries = 0;
  const { outcome, log } = await run({
    make: () => {
      if (tries++ === 0) throw new MillraceError('Away', 'not yet', { retryable: true });
      return { n: 7 };
    },
  });
  expect([outcome, log]).toEqual(['finished', ['made', 'made', 'closes 7']]);
});

test('one that cannot be closed is logged, without what others may have put into the error', async () => {
  const { outcome, warnings } = await run({ close: () => Promise.reject(new Error('password=secret')) });
  expect(outcome).toBe('finished');
  expect(warnings).toContainEqual([
    { service: 'pg', code: 'UNKNOWN', name: 'Error' },
    'A service could not be closed',
  ]);
});

test('without a value and without a fallback it is an error that says what to do', async () => {
  const world = new Lake();
  world.put('in/a.txt', ['1']);
  const { job } = world.job();
  const flow = job.source('in', files('memory://lake/in/*', { format: text() }));
  await expect(world.run(job, flow.pipe(uses([]), values()))).rejects.toMatchObject({
    code: 'UnknownService',
    message: expect.stringContaining('services: [provide(…)]') as string,
  });
});

test('what cannot be provided is refused', () => {
  const invalid = expect.objectContaining({ code: 'InvalidOption' }) as Error;
  const mine = provide(pool, () => ({ n: 1 }));
  expect(() => provide(new Service('millrace.stores'), () => 1)).toThrow(invalid);
  expect(() => provide({} as never, () => 1)).toThrow(invalid);
  expect(() => provide(pool, 5 as never)).toThrow(invalid);
  const base = { name: 'test', checkpoints: { dir: 'memory://lake/checkpoints' } };
  for (const services of [[mine, mine], mine, [5]])
    expect(() => createJob({ ...base, services: services as never })).toThrow(invalid);
});
