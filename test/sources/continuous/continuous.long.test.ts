/** A continuous job that discovers a hundred thousand objects, in virtual time: what it holds does not grow. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ignoreElements, tap, toArray } from 'rxjs';
import { files, ndjson, records } from '../../../src/index.js';
import { countedClock } from '../../../src/testing/countedClock.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { createStores, listAll } from '../../../src/entries/stores.js';
import { Lake, now } from '../../job/harness.js';

const rounds = 200;
const perRound = 500;

interface Held {
  readonly heap: number;
  readonly timers: number;
  /** Bytes below the directory of checkpoints. */
  readonly checkpoints: number;
  /** Requests in a round, by method. */
  readonly requests: Readonly<Record<string, number>>;
}

test('resource use is flat over 100,000 discoveries', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const lake = new Lake();
  const { store, counts } = counting(lake.store);
  const { clock, timers } = countedClock(lake.clock);
  const { job } = lake.job({
    clock,
    stores: createStores({ schemes: { memory: () => store }, clock }),
    checkpoints: { interval: '10s' },
  });
  let read = 0;
  const source = files<{ n: number }>('memory://lake/in/', {
    format: ndjson<{ n: number }>(),
    discover: { every: '10s', longestUpload: '1m' },
  });
  const leaf = job.source('in', source).pipe(
    records(
      tap(() => read++),
      ignoreElements(),
    ),
  );
  const stop = new AbortController();
  const result = job.run(leaf, { signal: stop.signal });
  const keyOf = (n: number): string => `in/${String((n * 7919) % 1_000_003).padStart(7, '0')}`;
  const held: Held[] = [];
  let before: Readonly<Record<string, number>> = {};
  for (let round = 0; round < rounds; round++) {
    // Keys come in no order, and an object is deleted after a while.
    for (let n = round * perRound; n < (round + 1) * perRound; n++) {
      lake.put(keyOf(n), [{ n }]);
      if (n >= 3 * perRound) now(lake.store.delete([keyOf(n - 3 * perRound)]));
    }
    for (let step = 0; step < 10; step++) {
      lake.clock.advance(1000);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
    const requests = { ...counts().requests } as Readonly<Record<string, number>>;
    if (round >= 40 && round % 20 === 0) {
      // Referents of weak references are kept until the end of the turn.
      await new Promise(setImmediate);
      collect();
      const kept = now(listAll(lake.store, 'checkpoints/').pipe(toArray())).flat();
      held.push({
        heap: process.memoryUsage().heapUsed,
        timers: timers.size,
        checkpoints: kept.reduce((sum, { size }) => sum + size, 0),
        requests: Object.fromEntries(
          Object.entries(requests).map(([method, count]) => [method, count - (before[method] ?? 0)]),
        ),
      });
    }
    before = requests;
  }
  expect(read).toBeGreaterThanOrEqual((rounds - 1) * perRound);
  const spread = (of: (each: Held) => number): number =>
    Math.max(...held.map(of)) - Math.min(...held.map(of));
  expect(held).toHaveLength(8);
  // How much it has grown since it was smallest: the compiler of the tests may free its memory at any time.
  const heaps = held.map(({ heap }) => heap);
  const growth = Math.max(...heaps.map((heap, i) => heap - Math.min(...heaps.slice(0, i + 1))));
  // 70,000 discoveries lie between the first and the last: 30 bytes for each would be 2 MB.
  expect(growth).toBeLessThan(2_000_000);
  // The minute of the last horizon has more or fewer rounds in it.
  expect(spread(({ checkpoints }) => checkpoints)).toBeLessThan(20 * 6 * perRound);
  expect(new Set(held.map(({ timers: count }) => count)).size).toBe(1);
  for (const { requests } of held) expect(requests).toEqual({ list: 3, put: 1, get: perRound, delete: 1 });
  stop.abort();
  lake.clock.advance(60_000);
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  await result;
});
