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
import { crashes, live, type Lived, type LivesOptions } from './lives.js';
import type { Surroundings } from './surroundings.js';
import { keysOf, now, textOf } from './world.js';

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
    config: loadConfig({ env: {}, file: false }),
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

test('a crash at each request of a job that makes a savepoint leaves a complete one, or none', () => {
  const left = { complete: 0, incomplete: 0 };
  for (const { world } of crashes(making)) {
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

test('a crash at each request of a job that starts from a savepoint: it starts from it once', () => {
  const { world } = live({ ...making, fates: [] });
  const [folder = ''] = foldersOf(world).complete;
  const all: Lived[] = [...crashes(startedFrom(world, folder))];
  for (const lived of all) {
    const continued = linesBelow(lived.world, 'out/second/');
    const first = Math.min(...continued.map(({ id }) => id));
    expectExact([...linesBelow(lived.world, 'out/first/').filter(({ id }) => id < first), ...continued]);
    const others = ['out/', 'savepoints/', 'checkpoints/first/', 'checkpoints/probe'];
    expect(leftovers(lived.world, 'second', others)).toEqual([]);
  }
});
