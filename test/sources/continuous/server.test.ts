/** A continuous source over HTTP: dates come from the server, and listings find what has appeared. */
import { lastValueFrom, tap } from 'rxjs';
import { createMemoryStore, openStores } from '../../../src/entries/stores.js';
import { createJob, files, fileSink, ndjson, records, silentLogger } from '../../../src/index.js';
import { startGateway } from '../../../src/testing/index.js';
import { credentials } from '../../store/s3support.js';

const line = (n: number): Buffer => Buffer.from(`${JSON.stringify({ n })}\n`);

test('new objects, late keys and a late Complete are each read once, over a restart', async () => {
  await using gateway = await startGateway({ buckets: { lake: createMemoryStore() }, credentials });
  const s3 = { endpoint: gateway.endpoint, region: 'us-east-1', credentials };
  using stores = openStores({ s3 });
  const { store } = stores.open('s3://lake/');
  const put = (key: string, n: number) => lastValueFrom(store.put(key, line(n)));
  const read: number[] = [];

  /** Runs until it has read `numbers` more; `then` happens at the first of them. */
  const run = async (
    numbers: number,
    then: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> => {
    const job = createJob({
      name: 'live',
      checkpoints: { dir: 's3://lake/checkpoints', interval: 20 },
      restart: 'none',
      logger: silentLogger,
      s3,
    });
    const stop = new AbortController();
    let seen = 0;
    let after: Promise<unknown> | undefined;
    const source = files('s3://lake/in/', { format: ndjson<{ n: number }>(), discover: { every: 20 } });
    const leaf = job.source('in', source).pipe(
      records(
        tap(({ n }) => {
          read.push(n);
          after ??= then();
          if (++seen === numbers) stop.abort();
        }),
      ),
      fileSink('out', 's3://lake/out', { format: ndjson() }),
    );
    expect(await job.run(leaf, { signal: stop.signal })).toEqual({ outcome: 'stopped' });
    await after;
  };

  const { uploadId } = await lastValueFrom(store.createUpload('in/late'));
  const part = await lastValueFrom(store.uploadPart('in/late', uploadId, 1, line(1)));
  await put('in/m', 2);
  await run(3, async () => {
    await put('in/z', 3);
    await put('in/a', 4);
  });
  await lastValueFrom(store.completeUpload('in/late', uploadId, [part]));
  await put('in/n', 5);
  await run(2);
  expect(read.slice(0, 3).sort((a, b) => a - b)).toEqual([2, 3, 4]);
  expect(read.slice(3).sort((a, b) => a - b)).toEqual([1, 5]);
});
