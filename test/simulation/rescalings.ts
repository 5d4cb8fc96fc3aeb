import {
  countByKey,
  createJob,
  distinctByKey,
  fileSink,
  keyed,
  keyGroupOf,
  keyGroupRange,
  listState,
  loadConfig,
  mapState,
  mergeFlows,
  ndjson,
  openState,
  records,
  reduceByKey,
  silentLogger,
  timers,
  valueState,
  type Flow,
  type Json,
  type Key,
  type KeyGroupRange,
} from 'millrace';
import { createMemoryStore, createStores, type ObjectStore } from 'millrace/stores';
import type { Source } from 'millrace/operators';
import { SimulatedClock } from 'millrace/testing';
import { filter, type Observable } from 'rxjs';
import { leftovers } from './leftovers.js';
import { crashes, type LivesOptions } from './lives.js';
import { seeded } from './random.js';
import { turnUntil, type Surroundings } from './surroundings.js';
import { keysOf, now, textOf } from './world.js';

interface Visit {
  readonly n: number;
  readonly user: Key;
}

const users: readonly Key[] = [
  ...Array.from({ length: 14 }, (_, i) => `user-${i}`),
  ...[-1, 0, 1, 42, 1e12, 0.5],
  ...[true, null, ['a', 1], { a: 1, b: [2] }],
];
const random = seeded(11);
const visits: readonly Visit[] = Array.from({ length: 96 }, (_, n) => ({
  n,
  user: users[Math.floor(random() * users.length)]!,
}));

const all: KeyGroupRange = { first: 0, last: 127 };
const isIn = ({ first, last }: KeyGroupRange, { user }: Visit): boolean =>
  keyGroupOf(user) >= first && keyGroupOf(user) <= last;

/** All visits, a few each millisecond. `at` is called with the number of each before it is sent. */
function feed(at: (n: number) => void = () => undefined): Source<Visit> {
  return {
    description: 'visits',
    open: ({ position, attempt, ready }) => {
      let next = position === undefined ? 0 : (position as number);
      let bytes = 0;
      let due = true;
      const timer = { wait: undefined as { unsubscribe(): void } | undefined };
      return {
        poll(out) {
          if (next === visits.length) return 'end';
          if (!due) return 'wait';
          due = false;
          for (let i = 0; i < 3 && next < visits.length; i++) {
            at(next);
            out.record(visits[next++]!);
            bytes += 8;
          }
          timer.wait = attempt.clock.after(1, () => {
            due = true;
            ready();
          });
          return 'more';
        },
        position: (): Json => next,
        get bytes() {
          return bytes;
        },
        close: () => timer.wait?.unsubscribe(),
      };
    },
  };
}

const states = {
  count: valueState(0),
  numbers: listState<number>(),
  byParity: mapState<number, number>(),
  over: timers('event'),
};

/** The states of each operator. */
const stored = {
  each: ['count', 'numbers', 'byParity', 'over'],
  counts: ['count'],
  distinct: ['seen'],
  last: ['accumulated'],
} as const;

/** Leaves with several operators by key. Some emit at the end of the input. */
function leavesOf(visitsOf: () => Flow<Visit>, out: string): [Observable<unknown>, ...Observable<unknown>[]] {
  const sink = (id: string) => fileSink<object>(id, `memory://lake/out/${id}/${out}`, { format: ndjson() });
  const key = ({ user }: Visit): Key => user;
  return [
    visitsOf().pipe(
      keyed('each', {
        key,
        state: states,
        onRecord: ({ user, n }, { count, numbers, byParity, over }) => {
          numbers.append(n);
          byParity.set(n % 2, n);
          over.set(n);
          return [{ user, n, count: count.update((before) => before + 1) }];
        },
        onTimer: ({ key: user, at }, { count }) => [{ user, at, count: count.value }],
      }),
      sink('each-out'),
    ),
    visitsOf().pipe(countByKey('counts', { key }), sink('counts-out')),
    visitsOf().pipe(distinctByKey('distinct', { key }), sink('distinct-out')),
    visitsOf().pipe(
      reduceByKey<Visit, Visit>('last', { key, accumulator: (_, visit) => visit, seed: { n: -1, user: '' } }),
      sink('last-out'),
    ),
  ];
}

/** What a job reads: all visits, of which those of some key groups are its own. */
interface Input {
  readonly source: string;
  readonly keyGroups: KeyGroupRange;
}

const partsOf = (jobs: number): readonly Input[] =>
  Array.from({ length: jobs }, (_, i) => ({ source: `in-${i}`, keyGroups: keyGroupRange(i, jobs) }));

interface Plan {
  readonly name: string;
  readonly keyGroups: KeyGroupRange;
  readonly inputs: readonly Input[];
  readonly from?: readonly string[];
  readonly at?: (n: number) => void;
}

function begin(surroundings: Surroundings, { name, keyGroups, inputs, from, at }: Plan) {
  const job = createJob({
    name,
    keyGroups,
    ...(from === undefined ? {} : { from }),
    checkpoints: { dir: 'memory://lake/checkpoints', interval: 20 },
    config: loadConfig({ env: {}, file: false }),
    restart: 'none',
    logger: silentLogger,
    ...surroundings,
  });
  const sources = inputs.map((input) => ({ input, flow: job.source(input.source, feed(at)) }));
  const visitsOf = (): Flow<Visit> => {
    const [first, ...others] = sources.map(({ input, flow }) =>
      flow.pipe(records(filter((visit) => isIn(input.keyGroups, visit) && isIn(keyGroups, visit)))),
    );
    return others.length === 0 ? first! : mergeFlows<Flow<Visit>[]>(first!, ...others);
  };
  return { job, leaves: leavesOf(visitsOf, name) };
}

/** Jobs in one store, one after another. */
class World {
  readonly clock = new SimulatedClock(1_700_000_000_000);
  readonly store: ObjectStore = createMemoryStore({ uri: 'memory://lake', clock: this.clock });
  readonly stores = createStores({ schemes: { memory: () => this.store }, clock: this.clock });
  readonly #random = seeded(5);

  /** Runs a job to its end, or to a savepoint at a visit. Returns the savepoint's URI. */
  run(plan: Omit<Plan, 'at'>, stopAt?: number): string | undefined {
    let uri: string | undefined;
    const at = (n: number): void => {
      if (n !== stopAt) return;
      void job.savepoint('memory://lake/savepoints', { stop: true }).catch(() => undefined);
    };
    const { clock, stores } = this;
    const { job, leaves } = begin({ clock, random: this.#random, stores }, { ...plan, at });
    let over: string | undefined;
    job.events$.subscribe((event) => {
      if (event.type === 'savepoint-made') ({ uri } = event);
      if (event.type === 'failed') throw new Error('A job failed', { cause: event['error'] });
      if (event.type === 'finished' || event.type === 'stopped') over = event.type;
    });
    job.run(...leaves, {}).catch(() => undefined); // the event has it
    turnUntil(this.clock, () => over !== undefined);
    expect(over).toBe(stopAt === undefined ? 'finished' : 'stopped');
    return uri;
  }

  /** The jobs of `parts` up to a savepoint each, all at other visits. */
  savepoints(parts: readonly Input[]): readonly string[] {
    return parts.map((part, i) => {
      const plan = { name: `${parts.length}-${i}`, keyGroups: part.keyGroups, inputs: [part] };
      return this.run(plan, 10 + ((i * 37 + parts.length * 11) % 60)) ?? '';
    });
  }

  /** Everything below a prefix, with ETags. */
  below(prefix: string): readonly string[] {
    return keysOf(this.store, prefix).map((each) => `${each} ${now(this.store.head(each)).etag}`);
  }
}

/** What jobs have in their states, sorted. */
function stateOf({ stores, clock }: World, jobs: readonly string[]): readonly string[] {
  const entries: string[] = [];
  for (const job of jobs) {
    using state = openState(`memory://lake/checkpoints/${job}`, { stores, clock });
    for (const [operator, names] of Object.entries(stored))
      for (const name of names)
        state.entries(operator, name).subscribe(({ key, value }) => {
          const shown = value instanceof Map ? [...value] : value;
          entries.push(JSON.stringify([operator, name, key, shown]));
        });
    while (clock.step());
  }
  return entries.sort();
}

/** What jobs have published, sorted. */
function outputOf(store: ObjectStore, jobs: readonly string[]): readonly string[] {
  return keysOf(store, 'out/')
    .filter((key) => jobs.includes(key.split('/')[2] ?? ''))
    .flatMap((key) =>
      textOf(store, key)
        .split('\n')
        .map((line) => `${key.split('/')[1] ?? ''} ${line}`),
    )
    .filter((line) => !line.endsWith(' '))
    .sort();
}

/** From each number of jobs to each. Of the requests of one that begins, every `step`-th meets a crash. */
export function rescales(sizes: readonly number[], step: number): void {
  const whole = new World();
  whole.run({ name: 'whole', keyGroups: all, inputs: [{ source: 'in', keyGroups: all }] });
  const expectedState = stateOf(whole, ['whole']);
  const expectedOutput = outputOf(whole.store, ['whole']);

  test('a job that is not divided has state in every operator', () => {
    for (const [operator, names] of Object.entries(stored))
      for (const name of names)
        // Timers have fired at the end.
        if (name !== 'over')
          expect(expectedState.some((entry) => entry.startsWith(`["${operator}","${name}"`))).toBe(true);
    expect(expectedOutput.length).toBeGreaterThan(2 * visits.length);
  });

  describe.each(sizes)('from %i jobs', (p) => {
    const world = new World();
    const before = partsOf(p);
    let from: readonly string[];
    beforeAll(() => {
      from = world.savepoints(before);
    });

    test.each(sizes)('to %i: together they have the state and the output of one', (q) => {
      const others = ['out/', 'savepoints/', ...keysOf(world.store, 'checkpoints/')];
      const savepoints = world.below('savepoints/');
      const logs = world.below('checkpoints/');
      const names = Array.from({ length: q }, (_, i) => `${p}-to-${q}-${i}`);
      for (const [i, name] of names.entries())
        world.run({
          name,
          keyGroups: keyGroupRange(i, q),
          inputs: before,
          from: i % 2 ? from : from.toReversed(),
        });
      expect(stateOf(world, names)).toEqual(expectedState);
      const first = before.map((_, i) => `${p}-${i}`);
      expect(outputOf(world.store, [...first, ...names])).toEqual(expectedOutput);
      // Each job deletes what is its own, and all of that.
      expect(world.below('savepoints/')).toEqual(savepoints);
      expect(world.below('checkpoints/')).toEqual(expect.arrayContaining([...logs]));
      for (const name of names) {
        const rest = names.filter((each) => each !== name).map((each) => `checkpoints/${each}/`);
        expect(leftovers(world.store, name, [...others, ...rest, 'checkpoints/probe'])).toEqual([]);
      }
    });
  });

  test('a crash at requests of a job that begins with several savepoints: it begins with them once', () => {
    const world = new World();
    const parts = partsOf(3);
    const from = world.savepoints(parts);
    const own = keyGroupRange(1, 2);
    const mine = (lines: readonly string[]): readonly string[] =>
      lines.filter((line) => {
        const found = JSON.parse(line.slice(line.indexOf(' ') + 1)) as { user?: Key; key?: Key };
        return isIn(own, { n: 0, user: ('user' in found ? found.user : found.key) ?? null });
      });
    const starting: Omit<LivesOptions, 'fates'> = {
      fill: (fresh) => {
        for (const key of keysOf(world.store, ''))
          now(fresh.put(key, Buffer.concat(now(world.store.get(key)).chunks)));
      },
      begin: (surroundings) => {
        const { job, leaves } = begin(surroundings, { name: 'second', keyGroups: own, inputs: parts, from });
        const [leaf, ...rest] = leaves;
        return { job, leaf, others: rest };
      },
    };
    const others = ['out/', 'savepoints/', 'checkpoints/3-', 'checkpoints/probe'];
    let lives = 0;
    for (const { world: after } of crashes(starting, step)) {
      expect(mine(outputOf(after, ['3-0', '3-1', '3-2', 'second']))).toEqual(mine(expectedOutput));
      expect(leftovers(after, 'second', others)).toEqual([]);
      lives++;
    }
    expect(lives).toBeGreaterThan(40 / step);
  });
}
