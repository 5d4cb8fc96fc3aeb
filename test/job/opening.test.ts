import { concat, merge, of, tap, type Observable } from 'rxjs';
import { createStores, decorate } from '../../src/entries/stores.js';
import {
  fileSink,
  files,
  keyed,
  mergeFlows,
  ndjson,
  records,
  valueState,
  values,
  type Flow,
} from '../../src/index.js';
import { pause } from '../../src/flow/index.js';
import { Opening } from '../../src/job/opening.js';
import { Lake } from './harness.js';

interface Row {
  readonly n: number;
}

const raw = () =>
  files('memory://lake/raw/*', { format: ndjson<Row>(), prefetch: { window: 1, fragment: 4096 } });
const counting = () =>
  keyed('count', {
    key: () => 'all',
    state: { count: valueState(0) },
    onRecord: (_: Row, { count }) => [count.update((before) => before + 1)],
  });

/** Runs a leaf until it is stopped in the middle, and once more from there. */
async function twice(leaf: (flow: Flow<Row>, seen: (n: number) => void) => Observable<unknown>) {
  const world = new Lake();
  world.put(
    'raw/a.ndjson',
    Array.from({ length: 30_000 }, (_, n) => ({ n })),
  );
  const counts: number[] = [];
  for (const stopAt of [9000, Infinity]) {
    const { job } = world.job();
    const stop = new AbortController();
    const flow = job.source('raw', raw()).pipe(
      records(
        tap(({ n }) => {
          if (n === stopAt) stop.abort();
        }),
      ),
    );
    await world.run(
      job,
      leaf(flow, (n) => counts.push(n)),
      { signal: stop.signal },
    );
  }
  expect(counts).toEqual(Array.from({ length: 30_000 }, (_, n) => n + 1));
}

describe('no record is sent before each branch of a leaf is restored', () => {
  test('branches joined as plain Observables', async () => {
    await twice((flow, seen) => merge(flow.pipe(counting(), values(), tap(seen)), flow.pipe(values())));
  });

  test('branches joined as flows, next to another', async () => {
    await twice((flow, seen) =>
      merge(
        mergeFlows(flow.pipe(records(tap(() => undefined))), flow).pipe(values()),
        flow.pipe(counting(), values(), tap(seen)),
      ),
    );
  });
});

test('two sinks in one leaf: both know the capabilities of their store before the first record', async () => {
  const world = new Lake();
  world.put('raw/a.ndjson', [{ n: 1 }]);
  const log: string[] = [];
  const stores = createStores({
    schemes: {
      memory: () =>
        decorate(world.store, (call, run) => {
          if (call.method === 'createUpload') log.push('upload');
          return run;
        }),
    },
    clock: world.clock,
  });
  const slow = {
    open: (uri: string) => {
      const location = stores.open(uri);
      if (!uri.endsWith('slow')) return location;
      const known = of({ conditionalPut: true, completeSubset: false, minimumPartSize: 1 });
      const later = concat(pause(world.clock, 20), known);
      return { ...location, capabilities: later.pipe(tap(() => log.push('known'))) };
    },
  };
  const { job } = world.job({ stores: slow });
  const flow = job.source('raw', raw());
  const sink = (id: string) => fileSink<Row>(id, `memory://lake/${id}`, { format: ndjson() });
  const running = job.run(merge(flow.pipe(sink('fast')), flow.pipe(sink('slow'))));
  let over = false;
  running.then(
    () => (over = true),
    () => (over = true),
  );
  while (!over) {
    world.clock.run();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await running;
  expect(log).toEqual(['known', 'upload', 'upload']);
});

test('work waits until no operator holds Open, and follows the start of the sources', () => {
  const calls: string[] = [];
  const opening = new Opening(() => calls.push('done'));
  const [a, b] = [{}, {}];
  opening.whenDone(() => calls.push('first'));
  opening.holds(a);
  opening.holds(b);
  opening.whenDone(() => calls.push('second'));
  opening.passed(a);
  expect(calls).toEqual([]);
  opening.passed(b);
  expect(calls).toEqual(['done', 'first', 'second']);
  opening.whenDone(() => calls.push('third'));
  opening.passed(b);
  expect(calls).toEqual(['done', 'first', 'second', 'third']);
});
