import { createStores } from '../../../src/entries/stores.js';
import { fileSink, files, keyed, ndjson, timers, valueState } from '../../../src/index.js';
import { delayed } from '../../../src/testing/index.js';
import { Lake } from '../../job/harness.js';

const records = 50;
const users = 7;

/** Sends the number of records of each user, some time after the first one. Listings take `latency` milliseconds. */
async function runOnce(lake: Lake, latency: number): Promise<void> {
  const store = delayed(lake.store, {
    clock: lake.clock,
    before: ({ method }) => (method === 'list' ? latency : 0),
  });
  const { job } = lake.job({
    stores: createStores({ schemes: { memory: () => store }, clock: lake.clock }),
    checkpoints: { interval: 5 },
  });
  const batches = job.source('in', files<{ user: number }>('memory://lake/in/', { format: ndjson() })).pipe(
    keyed('per-user', {
      key: ({ user }) => user,
      state: { unsent: valueState(0), sends: timers('processing') },
      onRecord: (_, { unsent, sends }): { batch: number }[] => {
        if (unsent.update((n) => n + 1) === 1) sends.set(sends.now + 5);
        return [];
      },
      onTimer: (_, { unsent }): { batch: number }[] => {
        const batch = unsent.value;
        unsent.clear();
        return [{ batch }];
      },
    }),
    fileSink('out', 'memory://lake/out', { format: ndjson() }),
  );
  await lake.run(job, batches);
}

test.each([1, 20, 500])(
  'what timers emit while a finished job starts again is published: listings of %d ms',
  async (latency) => {
    const lake = new Lake();
    lake.put(
      'in/a',
      Array.from({ length: records }, (_, i) => ({ user: i % users })),
    );
    await runOnce(lake, latency);
    lake.clock.advance(1000);
    await runOnce(lake, latency);
    const batches = lake.lines('out/') as { readonly batch: number }[];
    expect(batches).toHaveLength(users);
    expect(batches.reduce((sum, { batch }) => sum + batch, 0)).toBe(records);
  },
);
