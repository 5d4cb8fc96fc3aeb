/**
 * Histories as in `model.test.ts`, over stores that are reached by HTTP, and with a real database as target: where each request
 * fails before or after its effect, and processes crash at any of them.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { backends, type Backend } from '../../fs/backends.js';
import { hasPostgres, startPostgres, type PostgresServer } from '../../processes/postgres.js';
import { effort } from '../../support/effort.js';
import { History, type Fate, type OutboxTarget } from './history.js';
import { MemoryTarget, TableTarget } from './targets.js';
import type { Meeting } from './target.js';

if (!hasPostgres) process.stderr.write('NO POSTGRESQL: it is not installed here, so its tests do not run.\n');

type Step = readonly [name: string, act: (history: History, target: OutboxTarget) => void | Promise<void>];

const fates: readonly Fate[] = ['take', 'take', 'before', 'after', 'crash before', 'crash after'];
const meetings: readonly Meeting[] = ['take', 'before', 'after', 'strange', 'refuse', 'later'];

const write = (n: number): Step => [`write ${n}`, (history) => history.write(n)];
const barrier: Step = ['barrier', (history) => void history.run.barrier()];
const durable: Step = ['durable', (history) => history.run.durable()];
const undelivered: Step = ['durable, not committed', (history) => history.run.durable(false)];
const settle: Step = ['settle', (history) => history.run.settle()];
const crash: Step = ['crash', (history) => history.recover()];
const checkpoint = (n: number): Step => [
  `checkpoint of ${n}`,
  async (history) => {
    history.write(n);
    history.run.barrier();
    await history.inFlight.none();
    history.run.durable();
  },
];
const wait = (ms: number): Step => [`${ms} ms`, (history) => history.world.clock.advance(ms)];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: 1, max: 40 }).map(write),
  fc.integer({ min: 1, max: 40 }).map(checkpoint),
  fc.constantFrom(barrier, durable, undelivered, settle, crash),
  fc.constant<Step>(['zombie', (history) => history.recover(true)]),
  fc.integer({ min: 1, max: 3000 }).map(wait),
  fc
    .array(fc.constantFrom(...fates), { minLength: 1, maxLength: 6 })
    .map((all): Step => [`requests: ${all.join()}`, (history) => void (history.fates = [...all])]),
  fc
    .array(fc.constantFrom(...meetings), { minLength: 1, maxLength: 6 })
    .map((all): Step => [`meets ${all.join()}`, (_, target) => void (target.meetings = [...all])]),
  fc
    .constantFrom('poison', 'nothing')
    .map((what): Step => [`refuses ${what}`, (_, target) => target.refuse(what)]),
  fc.integer({ min: 1, max: 3 }).map((n): Step => [`release ${n}`, (_, target) => target.release(n)]),
);
const steps = fc.array(
  step.map((each) => Object.assign(each, { [fc.toStringMethod]: () => each[0] })),
  {
    minLength: 5,
    maxLength: 40,
    size: 'max',
  },
);

/** Journals, and poison for the dead letters. */
const fixed: readonly Step[] = [
  write(30),
  barrier,
  durable,
  write(30),
  barrier,
  undelivered,
  wait(100),
  crash,
  write(10),
  settle,
  barrier,
  durable,
];

/** Each of these at each place. */
const places = <T>(count: number, of: readonly T[]): (readonly [number, T])[] =>
  Array.from({ length: count }, (_, n) => of.map((each) => [n, each] as const)).flat();

/** At most `count` of them, as far from each other as possible. */
const some = <T>(all: readonly T[], count: number): T[] =>
  all.filter((_, i) => Math.floor((i * count) / all.length) !== Math.floor(((i - 1) * count) / all.length));

describe.each(backends.filter(([name]) => ['gateway', 'Ceph'].includes(name)))('on %s', (_, open) => {
  let backend: Backend;
  let server: PostgresServer | undefined;
  let pool: Pool;
  beforeAll(async () => {
    backend = await open();
    if (!hasPostgres) return;
    server = await startPostgres();
    // One for all histories: connections of a pool that is not used stay for a while.
    pool = server.pool();
  });
  afterAll(async () => {
    await server?.close();
    await backend.close();
  });

  const targets: readonly (readonly [string, () => Promise<OutboxTarget>])[] = [
    ['a target in memory', () => Promise.resolve(new MemoryTarget())],
    ...(hasPostgres ? [['PostgreSQL', () => TableTarget.open(pool)] as const] : []),
  ];

  const histories = async (target: OutboxTarget, all: readonly Step[], fate: readonly Fate[] = []) => {
    const history = new History(backend.store, `${randomBytes(6).toString('hex')}/`, target);
    history.fates = [...fate];
    await history.settled();
    for (const [, act] of all) {
      await act(history, target);
      await history.settled();
    }
    await history.finish();
    return history.requests;
  };

  describe.each(targets)('%s gets each record once, in order', (_, target) => {
    test('whichever request to the store fails, or is the last of a process', async () => {
      const requests = await histories(await target(), fixed);
      expect(requests).toBeGreaterThan(10);
      const cases = places(requests, fates.slice(2));
      for (const [n, fate] of some(cases, effort(2, 24)))
        await histories(await target(), fixed, [...Array<Fate>(n).fill('take'), fate]);
    });

    test('whichever meeting fails', async () => {
      for (const [n, meeting] of some(places(30, meetings.slice(1)), effort(2, 24))) {
        const met = await target();
        met.meetings = [...Array<Meeting>(n).fill('take'), meeting];
        await histories(met, fixed);
      }
    });

    test('in any history', async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (all) => {
          await histories(await target(), all);
        }),
        { numRuns: effort(3, 40), endOnFailure: true },
      );
    });
  });
});
