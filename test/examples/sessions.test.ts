import fc from 'fast-check';
import { createJob, fileSink, files, ndjson, silentLogger, watermarks, type JobEvent } from 'millrace';
import { createMemoryStore, createStores, listAll, type ObjectStore } from 'millrace/stores';
import { checkLaws, crashAt, delayed, lawInputs, memoryServices, SimulatedClock } from 'millrace/testing';
import { sessions, type Click, type Session } from '../../examples/sessions.js';

const gap = 10;
const clicks: readonly Click[] = [0, 4, 9, 30, 31, 60, 61, 75].flatMap((at) => [
  { user: 'ann', at },
  { user: 'bob', at: at + (at % 2) },
]);

/** Worked out without the operator. */
const expected: readonly Session[] = ['ann', 'bob'].flatMap((user) => {
  const all: Session[] = [];
  for (const { at } of clicks.filter((click) => click.user === user)) {
    const last = all.at(-1);
    if (last === undefined || at > last.to + gap) all.push({ user, from: at, to: at, clicks: 1 });
    else all[all.length - 1] = { ...last, to: at, clicks: last.clicks + 1 };
  }
  return all;
});

function createLake(): ObjectStore {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  clicks.forEach((click, i) => {
    lake
      .put(`in/${String(i).padStart(2, '0')}.ndjson`, Buffer.from(`${JSON.stringify(click)}\n`))
      .subscribe();
  });
  return lake;
}

/** Runs the job until it is over or dies at its n-th request. */
function runUntil(lake: ObjectStore, n: number): readonly JobEvent[] {
  const clock = new SimulatedClock();
  const process = crashAt(delayed(lake, { clock, before: () => 300 }), n, 'after');
  const job = createJob({
    name: 'sessions',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '200ms' },
    stores: createStores({ schemes: { memory: () => process.store }, clock }),
    clock,
    logger: silentLogger,
  });
  const events: JobEvent[] = [];
  job.events$.subscribe((event) => events.push(event));
  const out = job
    .source('in', files('memory://lake/in/', { format: ndjson<Click>(), prefetch: { window: 2 } }))
    .pipe(
      watermarks('time', { timestamp: ({ at }) => at }),
      sessions('sessions', gap),
      fileSink('out', 'memory://lake/out', { format: ndjson() }),
    );
  void job.run(out);
  clock.run(() => process.dead || events.some(({ type }) => type === 'finished'));
  return events;
}

const linesOf = (lake: ObjectStore): readonly unknown[] => {
  const keys: string[] = [];
  listAll(lake, 'out/').subscribe((page) => keys.push(...page.map(({ key }) => key)));
  return keys.flatMap((key) => {
    let lines: string[] = [];
    lake.get(key).subscribe(({ chunks }) => {
      lines = Buffer.concat(chunks).toString().trim().split('\n');
    });
    return lines.map((line): unknown => JSON.parse(line));
  });
};

const inOrder = (all: readonly unknown[]): readonly string[] =>
  all.map((each) => JSON.stringify(each)).sort();

test('it finds the sessions of every user', () => {
  const lake = createLake();
  runUntil(lake, Infinity);
  expect(inOrder(linesOf(lake))).toEqual(inOrder(expected));
});

test('it keeps the laws', () => {
  const click = fc.record({ user: fc.constantFrom('ann', 'bob'), at: fc.nat(20) });
  fc.assert(
    fc.property(lawInputs(fc, click), (input) =>
      checkLaws(() => sessions('sessions', 3), input, { services: () => memoryServices() }),
    ),
  );
});

test('after a crash at any request, the next run publishes every session once', () => {
  let crashes = 0;
  for (let n = 1; ; n++) {
    const lake = createLake();
    const finished = runUntil(lake, n).some(({ type }) => type === 'finished');
    if (!finished) {
      crashes++;
      runUntil(lake, Infinity);
    }
    expect(inOrder(linesOf(lake))).toEqual(inOrder(expected));
    if (finished) break;
  }
  expect(crashes).toBeGreaterThan(20);
});
