import { tap, toArray } from 'rxjs';
import {
  deadLetter,
  fileSink,
  files,
  keyed,
  ndjson,
  records,
  valueState,
  type JsonNumber,
} from '../../src/index.js';
import { listAll } from '../../src/entries/stores.js';
import { Lake, now } from './harness.js';

interface Row {
  readonly id: bigint;
  readonly of: { readonly price: JsonNumber; readonly ids: readonly bigint[] };
}

const ids = 50;
const first = 144126219108390001n;
const row = (n: number): string =>
  `{"id":${first + BigInt(n % ids)},"of":{"price":${n}.20000000000000000000000000005,"ids":[-${2n ** 64n + BigInt(n)}]}}`;
const broken = '{"id":144126219108390099,';

/** The lines of all objects below a prefix, as they are. */
function textOf(world: Lake, prefix: string): string[] {
  return now(listAll(world.store, prefix).pipe(toArray()))
    .flat()
    .flatMap(({ key }) =>
      Buffer.concat(now(world.store.get(key)).chunks)
        .toString()
        .split('\n'),
    )
    .filter((line) => line !== '');
}

test('numbers beyond double precision keep every digit through keys, state, a restore, sinks and dead letters', async () => {
  const world = new Lake();
  const total = 20_000;
  world.put('raw/a.ndjson', [broken, ...Array.from({ length: total }, (_, n) => row(n))]);

  const start = async (stopAt: number): Promise<string> => {
    const { job } = world.job();
    const stop = new AbortController();
    let seen = 0;
    const rows = job.source(
      'raw',
      files('memory://lake/raw/*', {
        format: ndjson<Row>(),
        prefetch: { window: 1, fragment: 4096 },
        onMalformed: deadLetter(fileSink('rejects', 'memory://lake/rejects', { format: ndjson() })),
      }),
    );
    const flow = rows.pipe(
      records(
        tap(() => {
          if (++seen === stopAt) stop.abort();
        }),
      ),
      keyed('per-id', {
        key: ({ id }) => id,
        state: { before: valueState<Row | undefined>(undefined) },
        // What comes out was in the state.
        onRecord: (value, { before }) => {
          const out = before.value;
          before.set(value);
          return out === undefined ? [] : [out];
        },
      }),
      fileSink('out', 'memory://lake/out', { format: ndjson() }),
    );
    return (await world.run(job, flow, { signal: stop.signal })).outcome;
  };

  expect(await start(5000)).toBe('stopped');
  expect(await start(Infinity)).toBe('finished');
  const expected = Array.from({ length: total - ids }, (_, n) => row(n));
  expect(textOf(world, 'out/').sort()).toEqual(expected.sort());
  expect(textOf(world, 'rejects/')).toHaveLength(1);
  expect(world.lines('rejects/')).toMatchObject([{ line: 1, text: broken }]);
});
