import { tap } from 'rxjs';
import { createJob, files, fileSink, records, silentLogger, text } from '../../src/index.js';
import { createFs } from '../../src/fs/promises/createFs.js';
import { createStores } from '../../src/entries/stores.js';

const dir = 'memory://lake/checkpoints';

/** Aborts a continuous job at its first record: it is not refused then, and would go on for ever. */
async function outcome(uri: string, options: object = {}): Promise<unknown> {
  const stores = createStores();
  const fs = createFs({ stores });
  await fs.writeFile('memory://lake/raw/a.txt', '1\n2\n');
  const job = createJob({ name: 'own', stores, checkpoints: { dir }, restart: 'none', logger: silentLogger });
  const source = files(uri, { format: text(), ...options });
  const abort = new AbortController();
  const read = records(
    tap<string>(() => {
      if ('discover' in options) abort.abort();
    }),
  );
  return job
    .run(job.source('in', source).pipe(read, fileSink('out', 'memory://other/out', { format: text() })), {
      signal: abort.signal,
    })
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

test.each(['memory://lake/raw/', 'memory://lake/**/*.txt', 'memory://lake/raw/a.txt'])(
  '%s does not include it',
  async (uri) => {
    expect(await outcome(uri)).toBe('finished');
  },
);
