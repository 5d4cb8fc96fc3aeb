import {
  createJob,
  fileSink,
  keyed,
  loadConfig,
  ndjson,
  silentLogger,
  valueState,
  type Json,
} from 'millrace';
import type { ObjectStore } from 'millrace/stores';
import type { Source } from 'millrace/operators';
import { leftovers } from './leftovers.js';
import { crashes, emptyWorld, Life, live, type Lived, type LivesOptions } from './lives.js';
import { between, seeded } from './random.js';
import type { Fate } from './scenario.js';
import { turnUntil, type Surroundings } from './surroundings.js';
import { keysOf, now, textOf } from './world.js';
import { effort } from '../support/effort.js';

interface Counted {
  readonly id: number;
  readonly count: number;
}

const length = 40;

/** One number a millisecond. */
function numbers(): Source<number> {
  return {
    description: 'numbers',
    open: ({ position, attempt, ready }) => {
      let next = position === undefined ? 0 : (position as number);
      let bytes = 0;
      let due = true;
      const timer = { wait: undefined as { unsubscribe(): void } | undefined };
      return {
        poll(out) {
          if (next === length) return 'end';
          if (!due) return 'wait';
          due = false;
          out.record(next++);
          bytes += 8;
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

/** Counts numbers by their last bit into `out/<name>`. */
function job(surroundings: Surroundings, name: string, from?: string, each?: (id: number) => void) {
  const counting = createJob({
    name,
    checkpoints: { dir: 'memory://lake/checkpoints', interval: 5 },
    config: loadConfig({ env: {}, file: false, set: { 'state.backend.s3.compaction-trigger': '2' } }),
    restart: 'none',
    logger: silentLogger,
    ...(from === undefined ? {} : { from }),
    ...surroundings,
  });
  const leaf = counting.source('in', numbers()).pipe(
    keyed('per-bit', {
      key: (id) => id % 2,
      state: { count: valueState(0) },
      onRecord: (id, { count }) => {
        each?.(id);
        return [{ id, count: count.update((before) => before + 1) }];
      },
    }),
    fileSink('out', `memory://lake/out/${name}`, { format: ndjson(), roll: { size: 100 } }),
  );
  return { job: counting, leaf };
}

const linesBelow = (world: ObjectStore, prefix: string): Counted[] =>
  keysOf(world, prefix).flatMap((key) =>
    textOf(world, key)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Counted),
  );

function expectExact(lines: readonly Counted[]): void {
  expect(lines.map(({ id }) => id).sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, id) => id));
  for (const { id, count } of lines) expect(count).toBe(Math.floor(id / 2) + 1);
}

/** The folders of savepoints, and those of them that have a root. */
function foldersOf(world: ObjectStore): { readonly all: string[]; readonly complete: string[] } {
  const keys = keysOf(world, 'savepoints/');
  const all = [...new Set(keys.map((key) => key.split('/').slice(0, 2).join('/')))];
  return { all, complete: all.filter((folder) => keys.includes(`${folder}/root`)) };
}

/** A job of which a savepoint is asked at each record from the 12th until one is made. */
const making: Omit<LivesOptions, 'fates'> = {
  begin: (surroundings) => {
    let asked = false;
    const made = job(surroundings, 'first', undefined, (id) => {
      if (asked || id < 12) return;
      asked = true;
      made.job.savepoint('memory://lake/savepoints').catch(() => undefined); // the next life asks again
    });
    return made;
  },
};

/** Copies the state of a world into a new one. */
const filledWith =
  (world: ObjectStore) =>
  (fresh: ObjectStore): void => {
    for (const key of keysOf(world, '')) now(fresh.put(key, Buffer.concat(now(world.get(key)).chunks)));
  };

/** Starts another job from a savepoint in a copy of that world. */
function startedFrom(world: ObjectStore, folder: string): Omit<LivesOptions, 'fates'> {
  return {
    fill: filledWith(world),
    begin: (surroundings) => job(surroundings, 'second', `memory://lake/${folder}`),
  };
}

function expectStarts(world: ObjectStore, folder: string): void {
  const second = live({ ...startedFrom(world, folder), fates: [] }).world;
  const continued = linesBelow(second, 'out/second/');
  const first = Math.min(...continued.map(({ id }) => id), length);
  const before = linesBelow(world, 'out/first/').filter(({ id }) => id < first);
  expectExact([...before, ...continued]);
}

/** Of the requests, every so many meet a crash. */
const step = effort(5, 1);

test('a crash at requests of a job that makes a savepoint leaves a complete one, or none', () => {
  const left = { complete: 0, incomplete: 0 };
  for (const { world } of crashes(making, step)) {
    expectExact(linesBelow(world, 'out/first/'));
    const { all, complete } = foldersOf(world);
    expect(complete).not.toEqual([]);
    left.complete += complete.length;
    left.incomplete += all.length - complete.length;
    for (const folder of complete) expectStarts(world, folder);
  }
  expect(left.complete).toBeGreaterThan(10);
  expect(left.incomplete).toBeGreaterThan(0);
});

test('a crash at requests of a job that starts from a savepoint: it starts from it once', () => {
  const { world } = live({ ...making, fates: [] });
  const [folder = ''] = foldersOf(world).complete;
  const all: Lived[] = [...crashes(startedFrom(world, folder), step)];
  for (const lived of all) {
    const continued = linesBelow(lived.world, 'out/second/');
    const first = Math.min(...continued.map(({ id }) => id));
    expectExact([...linesBelow(lived.world, 'out/first/').filter(({ id }) => id < first), ...continued]);
    const others = ['out/', 'savepoints/', 'checkpoints/first/', 'checkpoints/probe'];
    expect(leftovers(lived.world, 'second', others)).toEqual([]);
  }
});

/** Whether everything exists that the root of a savepoint names. */
function expectWhole(world: ObjectStore, folder: string): void {
  const keys = new Set(keysOf(world, `${folder}/`));
  const { data } = JSON.parse(textOf(world, `${folder}/root`).split('\n')[1] ?? '') as {
    readonly data: readonly (readonly [name: string, bytes: number])[];
  };
  expect(data.filter(([name]) => !keys.has(`${folder}/${name}`))).toEqual([]);
  expect(data).not.toEqual([]);
}

test('a savepoint at any time, crashes of both jobs, the second of which starts while the first continues', () => {
  const seen = { bothRan: 0, collected: 0, again: 0 };
  for (let seed = 1; seed <= effort(15, 40); seed++) {
    const random = seeded(seed);
    const { world, clock } = emptyWorld();
    const crash = (most: number): Fate => ({
      kind: 'crash',
      at: between(random, 1, most),
      when: random() < 0.5 ? 'before' : 'after',
    });
    const asked = between(random, 0, length - 8);
    const first = new Life({
      ...{ world, clock, random, fates: random() < 0.7 ? [crash(140)] : [] },
      begin: (surroundings) => {
        let once = false;
        const made = job(surroundings, 'first', undefined, (id) => {
          if (once || id < asked || foldersOf(world).complete.length > 0) return;
          once = true;
          made.job.savepoint('memory://lake/savepoints').catch(() => undefined); // the next life asks again
        });
        made.job.events$.subscribe(({ type }) => {
          if (type === 'garbage-deleted') seen.collected++;
        });
        return made;
      },
    });
    /** The output of the first job when the savepoint was complete. */
    const roots = new Map<string, readonly Counted[]>();
    let second: Life | undefined;
    turnUntil(clock, () => {
      const isOver = first.turn();
      for (const folder of foldersOf(world).complete) {
        if (roots.has(folder)) continue;
        expectWhole(world, folder);
        roots.set(folder, linesBelow(world, 'out/first/'));
      }
      const [folder] = roots.keys();
      if (folder === undefined) return isOver;
      if (second === undefined && !isOver) seen.bothRan++;
      second ??= new Life({
        ...{ world, clock, random, fates: random() < 0.7 ? [crash(80)] : [] },
        begin: (surroundings) => job(surroundings, 'second', `memory://lake/${folder}`),
      });
      const isSecondOver = second.turn();
      return isOver && isSecondOver;
    });
    while (clock.step()); // what is still on its way to the store
    expectExact(linesBelow(world, 'out/first/'));
    if (second === undefined) continue; // it was asked for too late
    seen.again += second.processes.length - 1;
    const continued = linesBelow(world, 'out/second/');
    const begins = Math.min(...continued.map(({ id }) => id), length);
    expect(begins).toBeGreaterThanOrEqual(asked);
    const [published = []] = roots.values();
    expectExact([...published.filter(({ id }) => id < begins), ...continued]);
  }
  expect(seen.bothRan).toBeGreaterThan(effort(9, 25));
  expect(seen.collected).toBeGreaterThan(effort(20, 60));
  expect(seen.again).toBeGreaterThan(effort(4, 12));
});
