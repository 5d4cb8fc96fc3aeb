import { map, Subject, tap } from 'rxjs';
import { config as configService, type Config } from '../../../src/config/index.js';
import { barrier, open, type Flow, type Service, type Signal } from '../../../src/flow/index.js';
import {
  createJob,
  fileSink,
  mergeFlows,
  MillraceError,
  ndjson,
  records,
  values,
} from '../../../src/index.js';
import { SimulatedClock, TestAttempt } from '../../../src/testing/index.js';
import { flat } from '../support.js';
import type { Effects } from './listener.js';
import { hoards, neverStores, ticks, World } from './world.js';

type Set = Readonly<Record<string, unknown>>;

const out = (uri = 'memory://lake/out') => fileSink<number>('out', uri, { format: ndjson() });
const key = (name: string): string => `execution.checkpointing.${name}`;

/** A job of twenty records, one every 50 ms. */
async function plain(set: Set, every = 50): Promise<World> {
  const world = new World();
  const job = world.job(set);
  expect(await world.run(job, [job.source('in', ticks(20, every)).pipe(out())])).toBeUndefined();
  return world;
}

const signingKey = 'k'.repeat(32);

/** How a job ends that continues from unsigned manifests. */
async function afterUnsigned(set: Set): Promise<unknown> {
  const world = await plain({});
  const job = world.job(set);
  return world.run(job, [job.source('in', ticks(20, 50)).pipe(out())]);
}

/** A job that cannot store its checkpoints, up to its first restart. */
async function unstorable(set: Set): Promise<World> {
  const world = new World();
  const job = world.job({ [key('interval')]: '1s', [key('timeout')]: '2s', ...set });
  const restarted = (): boolean => world.timesOf('restarting').length > 0;
  await world.run(job, [job.source('in', ticks(1e6, 100)).pipe(neverStores(), values())], restarted);
  return world;
}

/** The delays before the restarts of a job that fails after `records` records in each attempt. */
async function restarts(set: Set, random = 0.5, after = 1): Promise<readonly number[]> {
  const world = new World();
  const job = world.job(
    { 'restart-strategy.exponential-delay.attempts-before-reset-backoff': 5, ...set },
    () => random,
  );
  let seen = 0;
  const flaky = records<number, number>(
    tap(() => {
      if (++seen % after === 0) throw new MillraceError('Flaky', 'try again', { retryable: true });
    }),
  );
  const done = (): boolean => world.timesOf('restarting').length >= 8;
  const error = await world.run(job, [job.source('in', ticks(1e6, 100)).pipe(flaky, values())], done);
  if (!done()) expect(error).toMatchObject({ code: 'Flaky' });
  return world.events.flatMap((event) => (event.type === 'restarting' ? [event.delayMs] : []));
}

const delay = (name: string): string => `restart-strategy.exponential-delay.${name}`;

/** What comes out of a merge while one input waits for the other's barrier. */
function merged(config: Config): readonly string[] {
  const attempt = new TestAttempt({
    clock: new SimulatedClock(),
    services: new Map<Service<unknown>, unknown>([[configService, config]]),
  });
  const [left, right] = [new Subject<string | Signal>(), new Subject<string | Signal>()];
  const seen: string[] = [];
  mergeFlows(left as Flow<string>, right as Flow<string>).subscribe((each) =>
    seen.push(typeof each === 'string' ? each : 'signal'),
  );
  left.next(open(['left'], attempt));
  right.next(open(['right'], attempt));
  const first = barrier(1, 'periodic', () => undefined, new Subject());
  left.next(first);
  left.next('after the barrier');
  right.next('before the barrier');
  right.next(first);
  return seen.slice(1);
}

/** Makes a savepoint of a job that stops at it, where the configuration says. */
async function savepointed(set: Set): Promise<{ readonly world: World; readonly uri: string }> {
  const world = new World();
  const job = world.job(set);
  let made: Promise<string> | undefined;
  job.events$.subscribe(({ type }) => {
    if (type === 'running') made = job.savepoint(undefined, { stop: true });
  });
  expect(await world.run(job, [job.source('in', ticks(20, 50)).pipe(out())])).toBeUndefined();
  return { world, uri: (await made) ?? '' };
}

/** How a job ends that starts from that savepoint, with a source of another id. */
async function startedFrom(savepoint: string, world: World, source: string, set: Set): Promise<unknown> {
  const job = world.job({
    'state.checkpoints.dir': 'memory://lake/new',
    'execution.savepoint.path': savepoint,
    ...set,
  });
  const error = await world.run(job, [job.source(source, ticks(20, 50)).pipe(out())]);
  return error === undefined ? undefined : (error as MillraceError).code;
}

const savepoints = { 'state.savepoints.dir': 'memory://lake/sp' };

export const jobEffects: Effects = {
  'state.savepoints.dir': async () => {
    const { world, uri } = await savepointed(savepoints);
    expect(uri).toMatch(/^memory:\/\/lake\/sp\/savepoint-test-/);
    expect(world.keys('sp/')).toEqual([`${uri.replace('memory://lake/', '')}/root`]);
  },
  'execution.savepoint.path': async () => {
    const { world, uri } = await savepointed(savepoints);
    expect(await startedFrom(uri, world, 'in', {})).toBeUndefined();
    expect(
      await startedFrom('memory://lake/sp/none', world, 'in', { 'state.checkpoints.dir': 'memory://lake/b' }),
    ).toBe('SavepointNotFound');
  },
  'execution.savepoint.ignore-unclaimed-state': async () => {
    const { world, uri } = await savepointed(savepoints);
    expect(await startedFrom(uri, world, 'other', {})).toBe('VanishedOperator');
    const ignoring = { 'execution.savepoint.ignore-unclaimed-state': true };
    expect(await startedFrom(uri, world, 'other', ignoring)).toBeUndefined();
  },

  'state.checkpoints.dir': async () => {
    const world = await plain({ 'state.checkpoints.dir': 'memory://lake/elsewhere' });
    expect(world.keys('elsewhere/test/log/')).not.toEqual([]);
    expect(world.keys('cp/')).toEqual([]);
  },
  [key('interval')]: async () => {
    expect(
      (await plain({ [key('interval')]: '200ms' })).timesOf('checkpoint-durable').length,
    ).toBeGreaterThan(4);
    const slow = async (set: Set) => (await plain(set, 1000)).timesOf('checkpoint-started').length;
    expect(await slow({})).toBe(3);
    expect(await slow({ [key('interval')]: 'none' })).toBe(1);
  },
  [key('timeout')]: async () => {
    for (const timeout of [2000, 7000]) {
      const world = await unstorable({ [key('timeout')]: timeout });
      expect(world.timesOf('checkpoint-failed')[0]! - world.timesOf('checkpoint-started')[0]!).toBe(timeout);
    }
  },
  [key('min-pause')]: async () => {
    const between = async (set: Set): Promise<number> => {
      const world = await plain({ [key('interval')]: '100ms', ...set });
      return world.timesOf('checkpoint-started')[1]! - world.timesOf('checkpoint-durable')[0]!;
    };
    expect(await between({})).toBeLessThan(100);
    expect(await between({ [key('min-pause')]: '300ms' })).toBe(300);
  },
  [key('mode')]: () => {
    expect(merged(flat({ [key('mode')]: 'EXACTLY_ONCE' }))).toEqual([
      'before the barrier',
      'signal',
      'after the barrier',
    ]);
    expect(merged(flat({ [key('mode')]: 'AT_LEAST_ONCE' }))).toEqual([
      'after the barrier',
      'before the barrier',
      'signal',
    ]);
  },
  [key('tolerable-failed-checkpoints')]: async () => {
    const failed = async (set: Set) => (await unstorable(set)).timesOf('checkpoint-failed').length;
    expect(await failed({})).toBe(1);
    expect(await failed({ [key('tolerable-failed-checkpoints')]: 2 })).toBe(3);
  },
  [key('num-retained')]: async () => {
    const entries = async (set: Set) =>
      (await plain({ [key('interval')]: '200ms', ...set })).keys('cp/test/log/').length;
    expect(await entries({ [key('num-retained')]: 3 })).toBe((await entries({})) + 2);
  },
  [key('fencing')]: async () => {
    const run = async (set: Set): Promise<unknown> => {
      const world = new World({ conditionalPut: false });
      const job = world.job(set);
      return world.run(job, [job.source('in', ticks(1, 0)).pipe(out())]);
    };
    expect(await run({})).toMatchObject({ code: 'NoConditionalWrites' });
    expect(await run({ [key('fencing')]: 'none' })).toBeUndefined();
  },
  [key('sign.keys')]: async () => {
    expect(await afterUnsigned({ [key('sign.keys')]: signingKey })).toMatchObject({
      code: 'ManifestNotTrusted',
    });
    expect(await afterUnsigned({})).toBeUndefined();
  },
  [key('sign.accept')]: async () => {
    const accept = { [key('sign.accept')]: 'unsigned' };
    expect(await afterUnsigned({ [key('sign.keys')]: signingKey, ...accept })).toBeUndefined();
  },
  'execution.stalled-after': async () => {
    const stalledFor = async (set: Set): Promise<number | undefined> => {
      const world = new World();
      const job = world.job({ [key('interval')]: 'none', ...set });
      const over = (): boolean => world.clock.now() >= 1_700_000_100_000;
      world.clock.after(100_000, () => undefined);
      await world.run(job, [job.source('in', ticks(1, 0)).pipe(neverStores(), values())], over);
      const [began = 0] = world.timesOf('checkpoint-started');
      const [told] = world.timesOf('stalled');
      return told === undefined ? undefined : told - began;
    };
    expect(await stalledFor({})).toBe(30_000);
    expect(await stalledFor({ 'execution.stalled-after': '5s' })).toBe(5_000);
    expect(await stalledFor({ 'execution.stalled-after': 'none' })).toBeUndefined();
  },
  'execution.source-budget': async () => {
    const ahead = async (set: Set): Promise<number> => {
      const world = new World();
      const job = world.job(set);
      let taken = 0;
      const end = world.clock.now() + 1000;
      await world.run(
        job,
        [job.source('in', ticks(1e6, 0, 100_000)).pipe(hoards(() => taken++))],
        () => world.clock.now() >= end || !world.clock.step(),
      );
      return taken;
    };
    expect(await ahead({ 'execution.source-budget': '1MB' })).toBe(10);
    expect(await ahead({})).toBe(168);
  },

  'execution.memory-budget': async () => {
    const run = (set: Set): Promise<unknown> => {
      const world = new World();
      const job = world.job(set);
      return world.run(job, [job.source('in', ticks(1, 0)).pipe(out())]);
    };
    expect(await run({ 'execution.memory-budget': '20MiB' })).toMatchObject({ code: 'MemoryTooSmall' });
    expect(await run({ 'execution.memory-budget': '30MiB' })).toBeUndefined();
  },

  'restart-strategy.type': async () => {
    expect(await restarts({})).toHaveLength(5);
    expect(await restarts({ 'restart-strategy.type': 'none' })).toEqual([]);
  },
  [delay('initial-backoff')]: async () => {
    expect((await restarts({ [delay('initial-backoff')]: '4s' }))[0]).toBe(4000);
  },
  [delay('max-backoff')]: async () => {
    expect(await restarts({ [delay('max-backoff')]: '2s' })).toEqual([1000, 1500, 2000, 2000, 2000]);
  },
  [delay('backoff-multiplier')]: async () => {
    expect((await restarts({ [delay('backoff-multiplier')]: 3 })).slice(0, 3)).toEqual([1000, 3000, 9000]);
  },
  [delay('jitter-factor')]: async () => {
    expect((await restarts({ [delay('jitter-factor')]: 0.5 }, 0))[0]).toBe(500);
    expect((await restarts({ [delay('jitter-factor')]: 0 }, 0))[0]).toBe(1000);
  },
  [delay('reset-backoff-threshold')]: async () => {
    const often = { [key('interval')]: '200ms' };
    const set = { ...often, [delay('reset-backoff-threshold')]: '300ms' };
    expect((await restarts(set, 0.5, 5)).slice(0, 3)).toEqual([1000, 1000, 1000]);
    expect((await restarts(often, 0.5, 5)).slice(0, 3)).toEqual([1000, 1500, 2250]);
  },
  [delay('attempts-before-reset-backoff')]: async () => {
    expect(await restarts({ [delay('attempts-before-reset-backoff')]: 2 })).toHaveLength(2);
  },

  'restart-strategy.checkpoint-timeouts': async () => {
    const attempts = async (set: Set): Promise<number> => {
      const world = new World();
      const job = world.job({ [key('timeout')]: '2s', ...set });
      const flow = job.source('in', ticks(1e6, 100)).pipe(neverStores(), values());
      expect(await world.run(job, [flow])).toMatchObject({ code: 'CheckpointsNeverDurable' });
      return world.timesOf('attempt-started').length;
    };
    expect(await attempts({})).toBe(3);
    expect(await attempts({ 'restart-strategy.checkpoint-timeouts': 5 })).toBe(5);
  },

  'state.backend': () => {
    const dir = { 'state.checkpoints.dir': 'file:///tmp/cp' };
    const job = (set: Set) => createJob({ name: 'test', config: flat(set) });
    expect(() => job(dir)).not.toThrow();
    expect(() => job({ ...dir, 'state.backend': 's3' })).toThrow(/state\.backend is s3/);
    expect(() => job({ 'state.checkpoints.dir': 's3://lake/cp', 'state.backend': 's3' })).not.toThrow();
  },
};

/** Where the log of a job is if the keys of the state backend configure it. */
export async function logOf(set: Set): Promise<string | undefined> {
  const world = new World();
  const job = world.job({ 'state.checkpoints.dir': undefined, ...set });
  await world.run(job, [job.source('in', ticks(1, 0)).pipe(records(map((n) => n)), out('s3://lake/out'))]);
  return world.keys().find((each) => each.includes('/log/'));
}
