import { concat, connect, merge, share, tap, type Observable } from 'rxjs';
import { createStores, decorate } from '../../src/entries/stores.js';
import {
  fileSink,
  files,
  keyed,
  mergeFlows,
  ndjson,
  records,
  values,
  valueState,
  type Flow,
  type FlowOperator,
} from '../../src/index.js';
import { pause } from '../../src/flow/clock.js';
import { Lake } from './harness.js';

interface Row {
  readonly n: number;
}
type Counted = Row & Readonly<Record<string, number>>;

const total = 6000;
const stopAt = 2000;

/** Counts the records of one key under the operator's id, so that a record that is lost or repeated shows. */
const counted = (id: string): FlowOperator<Row, Counted> =>
  keyed(id, {
    key: () => 'all',
    state: { count: valueState(0) },
    onRecord: (row: Row, { count }) => [{ ...row, [id]: count.update((before) => before + 1) }],
  });
const sink = (id: string): FlowOperator<Row, never> =>
  fileSink<Row>(id, `memory://lake/${id}`, { format: ndjson() });

/** Ways in RxJS to feed several sinks from one flow. Each returns the leaves. */
const idioms: Readonly<Record<string, (flow: Flow<Row>) => Observable<unknown>[]>> = {
  'share(), a leaf each': (flow) => {
    const shared = flow.pipe(counted('k0'), share());
    return [shared.pipe(counted('k1'), sink('s1')), shared.pipe(counted('k2'), sink('s2'))];
  },
  'share(), one leaf': (flow) => {
    const shared = flow.pipe(counted('k0'), share());
    return [merge(shared.pipe(counted('k1'), sink('s1')), shared.pipe(counted('k2'), sink('s2')))];
  },
  'connect and merge': (flow) => [
    flow.pipe(
      counted('k0'),
      connect((shared) =>
        merge(shared.pipe(counted('k1'), sink('s1')), shared.pipe(counted('k2'), sink('s2'))),
      ),
    ),
  ],
  'connect within connect': (flow) => [
    flow.pipe(
      connect((shared) =>
        merge(
          shared.pipe(
            counted('k0'),
            connect((again) => merge(again.pipe(counted('k1'), sink('s1')), again.pipe(values()))),
          ),
          shared.pipe(counted('k2'), sink('s2')),
        ),
      ),
    ),
  ],
  'a leaf each, from the source': (flow) => [
    flow.pipe(counted('k0'), counted('k1'), sink('s1')),
    flow.pipe(counted('k2'), sink('s2')),
  ],
  'a sink before the branches join again': (flow) => [
    flow.pipe(
      counted('k0'),
      connect((shared) =>
        merge(
          mergeFlows(shared.pipe(counted('k1')), shared.pipe(sink('s2'))).pipe(sink('s1')),
          shared.pipe(counted('k2'), values()),
        ),
      ),
    ),
  ],
};

/** Runs the leaves until they are stopped in the middle, and again from there with the reads of one branch delayed. */
async function twice(slow: string, leaves: (flow: Flow<Row>) => Observable<unknown>[]): Promise<Lake> {
  const world = new Lake();
  world.put(
    'in/a.ndjson',
    Array.from({ length: total }, (_, n) => ({ n })),
  );
  for (const run of ['stopped', 'finished']) {
    const delayed = decorate(world.store, (call, answer) =>
      call.method === 'get' && call.key.includes(`-${slow}-`)
        ? concat(pause(world.clock, 300), answer)
        : answer,
    );
    const stores = createStores({ schemes: { memory: () => delayed }, clock: world.clock });
    const { job } = world.job({ stores, checkpoints: { interval: 5 } });
    const stop = new AbortController();
    const source = files('memory://lake/in/*', {
      format: ndjson<Row>(),
      prefetch: { window: 1, fragment: 4096 },
    });
    const flow = job.source('in', source).pipe(
      records(
        tap(({ n }) => {
          if (run === 'stopped' && n === stopAt) stop.abort();
        }),
      ),
    );
    await expect(world.run(job, ...leaves(flow), { signal: stop.signal })).resolves.toEqual({ outcome: run });
  }
  return world;
}

describe.each(Object.entries(idioms))('%s', (_, leaves) => {
  test.each(['k0', 'k1', 'k2', 'none'])(
    'a restart with %s slow to restore loses and repeats nothing',
    async (slow) => {
      const world = await twice(slow, leaves);
      for (const out of ['s1/', 's2/']) {
        const rows = world.lines(out) as Counted[];
        expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: total }, (_, n) => n));
        for (const id of ['k0', 'k1', 'k2'])
          expect(rows.every((row) => row[id] === undefined || row[id] === row.n + 1)).toBe(true);
      }
    },
  );
});
