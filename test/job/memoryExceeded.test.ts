import { of } from 'rxjs';
import { fileSink, files, keyed, ndjson, valueState } from '../../src/index.js';
import { createMemoryStore, createStores } from '../../src/entries/stores.js';
import { Lake } from './harness.js';

const KiB = 1024;

/** Values that compress badly, so that they take as much in segments as in memory. */
const noise = (n: number): string =>
  Array.from({ length: 64 }, (_, i) => ((n * 7919 + i) ** 3 % 0xffff_ffff).toString(36)).join('');

test('state that is larger than the memory of the process fails nothing, and is reported once an attempt', async () => {
  const world = new Lake();
  const { clock } = world;
  Object.assign(world, { store: createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize: 256 }) });
  const stores = createStores({
    schemes: { memory: () => world.store },
    capabilities: () => of({ conditionalPut: true, completeSubset: true, minimumPartSize: 64 * KiB }),
    clock,
  });
  const rows = Array.from({ length: 8000 }, (_, n) => ({ n, text: noise(n) }));
  world.put('in/a', rows);
  const { job, events } = world.job({
    stores,
    memory: '2MiB',
    budget: '256KiB',
    checkpoints: { interval: 5 },
  });
  const source = files('memory://lake/in/*', {
    format: ndjson<{ n: number; text: string }>(),
    prefetch: { window: 2, fragment: '64KiB' },
  });
  const flow = job.source('in', source).pipe(
    keyed('texts', {
      key: ({ n }) => n,
      state: { text: valueState('') },
      onRecord: ({ n, text }, state) => {
        state.text.set(text);
        return [{ n }];
      },
    }),
    fileSink('out', 'memory://lake/out', {
      format: ndjson(),
      partSize: 64 * KiB,
      budget: 1024 * KiB,
      roll: { size: 256 * KiB },
    }),
  );
  await world.run(job, flow);
  expect(world.lines('out/')).toHaveLength(rows.length);
  const exceeded = events.filter(({ type }) => type === 'memory-exceeded');
  expect(exceeded).toEqual([
    {
      type: 'memory-exceeded',
      job: 'test',
      state: 4 << 20,
      memory: 2 << 20,
      message: expect.stringMatching(
        /^Keyed state in this process takes about 4\.0 MiB, but its jobs may hold only 2\.0 MiB together\. .*raise memory of createJob/,
      ) as string,
    },
  ]);
});
