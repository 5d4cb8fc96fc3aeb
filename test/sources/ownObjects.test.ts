import { NEVER, tap } from 'rxjs';
import { createJob, files, fileSink, records, silentLogger, text } from '../../src/index.js';
import { createFs } from '../../src/fs/promises/createFs.js';
import { createStores, decorate, type Stores } from '../../src/entries/stores.js';
import { InvalidOption } from '../../src/config/units.js';
import { formatUid } from '../../src/path/uids.js';
import { ownObject } from '../../src/sources/ownObjects.js';
import { createMemoryStore } from '../../src/store/memory/index.js';

const dir = 'memory://lake/checkpoints';

const ownJob = (stores: Stores) =>
  createJob({
    name: 'own',
    stores,
    checkpoints: { dir, interval: '100ms' },
    restart: 'none',
    logger: silentLogger,
  });

/** Aborts a job at its third record, of two: its source is not refused then, and could go on forever. */
async function outcome(uri: string, options: object = {}, out = 'memory://other/out'): Promise<unknown> {
  const stores = createStores();
  const fs = createFs({ stores });
  await fs.writeFile('memory://lake/raw/a.txt', '1\n2\n');
  const job = ownJob(stores);
  const source = files(uri, { format: text(), ...options });
  const abort = new AbortController();
  let count = 0;
  const read = records(
    tap<string>(() => {
      if (++count > 2) abort.abort();
    }),
  );
  return job
    .run(
      job.source('in', source).pipe(read, fileSink('out', out, { format: text(), roll: { checkpoints: 1 } })),
      {
        signal: abort.signal,
      },
    )
    .then(
      ({ outcome: end }) => end,
      (error: unknown) => String(error),
    );
}

test.each([
  ['a bounded source', {}],
  ['a continuous source', { discover: { every: '1s' } }],
])('%s refuses a URI that includes the checkpoint directory', async (_, options) => {
  expect(await outcome('memory://lake/', options)).toMatch(
    /^InvalidOption: files 'in': memory:\/\/lake\/ includes memory:\/\/lake\/checkpoints\/own\/log\/\S+, which is in the checkpoint directory of the job, memory:\/\/lake\/checkpoints\/\. Use a URI that does not include/,
  );
});

test('a continuous source refuses a URI that includes files of a sink of its job', async () => {
  const continuous = { discover: { every: '100ms' } };
  expect(await outcome('memory://lake/raw/', continuous, 'memory://lake/raw/out')).toMatch(
    /^InvalidOption: files 'in': memory:\/\/lake\/raw\/ includes memory:\/\/lake\/raw\/out\/\S*part-\S+, a file of its own sink 'out'\. Use a URI that does not include the output of the job, such as one with a folder or an extension, or give the sink a folder beside the input\.$/,
  );
});

test('a bounded source that starts again refuses files that its job has published before', async () => {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  let stalled = true;
  const stores = createStores({
    schemes: {
      memory: () =>
        decorate(lake, (call, run) =>
          stalled && call.method === 'get' && call.key === 'raw/z.txt' ? NEVER : run,
        ),
    },
  });
  for (const key of ['raw/a.txt', 'raw/z.txt']) lake.put(key, Buffer.from('1\n')).subscribe();
  const life = async (): Promise<unknown> => {
    const job = ownJob(stores);
    const published = new AbortController();
    job.events$.subscribe(({ type }) => {
      if (type === 'committed') published.abort();
    });
    const sink = fileSink<string>('out', 'memory://lake/raw/out', {
      format: text(),
      roll: { checkpoints: 1 },
    });
    const flow = job.source('in', files('memory://lake/raw/', { format: text() })).pipe(sink);
    return job.run(flow, { signal: published.signal }).then(
      ({ outcome: end }) => end,
      (error: unknown) => String(error),
    );
  };
  expect(await life()).toBe('stopped');
  stalled = false;
  expect(await life()).toMatch(/^InvalidOption: .* a file of its own sink 'out'\./);
});

test('files of other jobs are input', () => {
  const [mine, other] = ['a'.repeat(12), 'b'.repeat(12)] as const;
  const key = `part-${formatUid({ jobId: other, sink: 'out', epoch: 1, counter: 2 })}.txt`;
  const object = { key, root: 0, store: createMemoryStore(), uri: `memory://lake/${key}` };
  const refusedTo = (jobId: string) => ownObject('in', ['memory://lake/'], object, { jobId, folders: [] });
  expect(refusedTo(mine)).toBeUndefined();
  expect(refusedTo(other)).toBeInstanceOf(InvalidOption);
});

test.each(['memory://lake/raw/', 'memory://lake/**/*.txt', 'memory://lake/raw/a.txt'])(
  '%s does not include it',
  async (uri) => {
    expect(await outcome(uri)).toBe('finished');
  },
);
