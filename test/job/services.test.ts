/** Services provided by users: created at the first use, kept across restarts, closed at the end. */
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

/** Runs a job with two branches that use the pool; `fails` is called for each record. */
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

test('a service is created once per run, at its first use, and closed at the end', async () => {
  const { outcome, log, seen } = await run();
  expect([outcome, log, seen]).toEqual(['finished', ['made', 'closes 1'], [{ n: 1 }, { n: 1 }]]);
});

test('restarts keep it', async () => {
  let failures = 0;
  const { outcome, log, seen } = await run({ fails: () => failures++ < 2 });
  expect([outcome, log, seen.length]).toEqual(['finished', ['made', 'closes 1'], 6]);
});

test('an unused service is not created', async () => {
  const { outcome, log } = await run({ used: false });
  expect([outcome, log]).toEqual(['finished', []]);
});

test('services are closed in reverse order of creation', async () => {
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

test('a service is closed and awaited when the job has failed', async () => {
  let closed = false;
  const { outcome } = await run({
    fails: () => {
      throw new MillraceError('Broken', 'for good');
    },
    close: () => Promise.resolve().then(() => (closed = true)),
  });
  expect([outcome, closed]).toEqual(['Broken', true]);
});

test('a service that cannot be created fails the attempt, and the next one tries again', async () => {
  let tries = 0;
  const { outcome, log } = await run({
    make: () => {
      if (tries++ === 0) throw new MillraceError('Away', 'not yet', { retryable: true });
      return { n: 7 };
    },
  });
  expect([outcome, log]).toEqual(['finished', ['made', 'made', 'closes 7']]);
});

test('a failure to close is logged, without the content of a foreign error', async () => {
  const { outcome, warnings } = await run({ close: () => Promise.reject(new Error('password=secret')) });
  expect(outcome).toBe('finished');
  expect(warnings).toContainEqual([
    { service: 'pg', code: 'UNKNOWN', name: 'Error' },
    'A service could not be closed',
  ]);
});

test('without a value and a fallback it is an error with advice', async () => {
  const world = new Lake();
  world.put('in/a.txt', ['1']);
  const { job } = world.job();
  const flow = job.source('in', files('memory://lake/in/*', { format: text() }));
  await expect(world.run(job, flow.pipe(uses([]), values()))).rejects.toMatchObject({
    code: 'UnknownService',
    message: expect.stringContaining('services: [provide(…)]') as string,
  });
});

test('invalid services are rejected', () => {
  const invalid = expect.objectContaining({ code: 'InvalidOption' }) as Error;
  const mine = provide(pool, () => ({ n: 1 }));
  expect(() => provide(new Service('millrace.stores'), () => 1)).toThrow(invalid);
  expect(() => provide({} as never, () => 1)).toThrow(invalid);
  expect(() => provide(pool, 5 as never)).toThrow(invalid);
  const base = { name: 'test', checkpoints: { dir: 'memory://lake/checkpoints' } };
  for (const services of [[mine, mine], mine, [5]])
    expect(() => createJob({ ...base, services: services as never })).toThrow(invalid);
});
