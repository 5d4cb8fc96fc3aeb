import fc from 'fast-check';
import { createJob, fileSink, files, ndjson, silentLogger, type JobEvent } from 'millrace';
import { createMemoryStore, createStores, listAll, type ObjectStore } from 'millrace/stores';
import { checkLaws, crashAt, delayed, lawInputs, memoryServices, SimulatedClock } from 'millrace/testing';
import { topN, type Ranking } from '../../examples/topN.js';

interface Play {
  readonly game: string;
  readonly points: number;
}

const topTwo = () =>
  topN<Play, string>('best', { n: 2, key: ({ game }) => game, score: ({ points }) => points });

const plays: readonly Play[] = [3, 5, 4, 4, 1, 6, 5].flatMap((points) => [
  { game: 'chess', points },
  { game: 'go', points: 10 - points },
]);

/** What there is to see, worked out without the operator. */
const rankings: readonly Ranking<Play, string>[] = plays.flatMap(({ game }, i) => {
  const best = (count: number): readonly Play[] =>
    plays
      .slice(0, count)
      .filter((play) => play.game === game)
      .sort((a, b) => b.points - a.points)
      .slice(0, 2);
  const [before, after] = [best(i), best(i + 1)];
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ key: game, top: after }];
});

/** A file for each play, so that checkpoints come between them. */
function createLake(): ObjectStore {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  plays.forEach((play, i) => {
    lake.put(`in/${String(i).padStart(2, '0')}.ndjson`, Buffer.from(`${JSON.stringify(play)}\n`)).subscribe();
  });
  return lake;
}

/** Runs the job until it is over or dies at its n-th request. */
function runUntil(lake: ObjectStore, n: number): readonly JobEvent[] {
  const clock = new SimulatedClock();
  const process = crashAt(delayed(lake, { clock, before: () => 300 }), n, 'after');
  const job = createJob({
    name: 'rankings',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '200ms' },
    stores: createStores({ schemes: { memory: () => process.store }, clock }),
    clock,
    logger: silentLogger,
  });
  const events: JobEvent[] = [];
  job.events$.subscribe((event) => events.push(event));
  const best = job
    .source('in', files('memory://lake/in/', { format: ndjson<Play>(), prefetch: { window: 2 } }))
    .pipe(topTwo(), fileSink('out', 'memory://lake/out', { format: ndjson() }));
  void job.run(best);
  clock.run(() => process.dead || events.some(({ type }) => type === 'finished'));
  return events;
}

function written(lake: ObjectStore): readonly unknown[] {
  const keys: string[] = [];
  listAll(lake, 'out/').subscribe((page) => keys.push(...page.map(({ key }) => key)));
  return keys.flatMap((key) => {
    let lines: string[] = [];
    lake.get(key).subscribe(({ chunks }) => {
      lines = Buffer.concat(chunks).toString().trim().split('\n');
    });
    return lines.map((line): unknown => JSON.parse(line));
  });
}

test('it ranks, and emits what has changed', () => {
  const lake = createLake();
  runUntil(lake, Infinity);
  expect(rankings.length).toBeLessThan(plays.length);
  expect(written(lake)).toEqual(rankings);
});

test('it keeps the laws', () => {
  const play = fc.record({ game: fc.constantFrom('chess', 'go'), points: fc.nat(9) });
  fc.assert(
    fc.property(lawInputs(fc, play), (input) =>
      checkLaws(topTwo, input, { services: () => memoryServices() }),
    ),
  );
});

test('after a crash at any request, the next run publishes every ranking once', () => {
  const restored: number[] = [];
  let n = 0;
  for (let finished = false; !finished;) {
    const lake = createLake();
    finished = runUntil(lake, ++n).some(({ type }) => type === 'finished');
    for (const event of runUntil(lake, Infinity))
      if (event.type === 'running') restored.push(event.checkpoint);
    expect([n, written(lake)]).toEqual([n, rankings]);
  }
  // Many of the crashes were in the middle: the restored rankings continued.
  expect(new Set(restored).size).toBeGreaterThan(3);
});

test('it rejects an n of 0', () => {
  expect(() => topN('best', { n: 0, key: () => 'k', score: () => 0 })).toThrow(
    expect.objectContaining({ code: 'InvalidOption' }),
  );
});
