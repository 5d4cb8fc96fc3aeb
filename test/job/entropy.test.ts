import { fileSink, files, keyed, loadConfig, ndjson, valueState } from '../../src/index.js';
import { Lake, now } from './harness.js';

const config = loadConfig({
  env: {},
  file: false,
  set: { 's3.entropy.key': '_e_', 's3.entropy.length': 6 },
});

/** Runs a job with state and a sink, whose URIs all contain the marker, and returns the keys of the store. */
async function keysAfter(marked: string): Promise<string[]> {
  const lake = new Lake();
  lake.put(
    'raw/a.ndjson',
    Array.from({ length: 500 }, (_, n) => ({ n })),
  );
  let draws = 0;
  const { job } = lake.job({
    config,
    checkpoints: { dir: `memory://lake/${marked}` },
    random: () => (draws++ * 0.377) % 1,
  });
  await lake.run(
    job,
    job.source('raw', files('memory://lake/_e_/raw/*', { format: ndjson<{ n: number }>() })).pipe(
      keyed('counts', {
        key: ({ n }) => n,
        state: { seen: valueState(0) },
        onRecord: (v, { seen }) => [{ ...v, seen: seen.update((x) => x + 1) }],
      }),
      fileSink('out', 'memory://lake/out/_e_', { format: ndjson() }),
    ),
  );
  expect(lake.lines('out/part-')).toHaveLength(500);
  return now(lake.store.list({})).objects.map(({ key }) => key);
}

test('data objects have entropy in their keys, and nothing else does', async () => {
  const keys = await keysAfter('cp/_e_/deep');
  const data = keys.filter((key) => key.includes('/data/'));
  expect(data).not.toHaveLength(0);
  for (const key of data) expect(key).toMatch(/^cp\/([a-z0-9]{6})\/deep\/test\/data\/\d{10}\/\1\//);
  const others = keys.filter((key) => !key.includes('/data/'));
  for (const key of others)
    expect(key).toMatch(/^(cp\/deep\/test\/log\/\d{20}|out\/part-.*|raw\/a\.ndjson)$/);
});

test('a marker inside a name is replaced in place', async () => {
  const data = (await keysAfter('cp-_e_-x')).filter((key) => key.includes('/data/'));
  expect(data).not.toHaveLength(0);
  for (const key of data) expect(key).toMatch(/^cp-([a-z0-9]{6})-x\/test\/data\/\d{10}\/\1\//);
});
