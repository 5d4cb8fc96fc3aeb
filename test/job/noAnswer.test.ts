import * as fc from 'fast-check';
import { EMPTY, ignoreElements, type Observable } from 'rxjs';
import { fileSink, files, keyed, ndjson, valueState } from '../../src/index.js';
import { createStores, decorate, type ObjectStore, type StoreMethod } from '../../src/entries/stores.js';
import { Lake } from './harness.js';

interface Row {
  readonly id: number;
}

const rows: readonly Row[] = Array.from({ length: 300 }, (_, id) => ({ id }));

/** A store of a user, whose requests are sometimes silent. `after`: they take effect all the same. */
interface Silence {
  readonly silent: (request: number, method: StoreMethod) => boolean;
  readonly after: boolean;
}

interface Ran {
  /** The error's code, if the job did not finish. */
  readonly ended: string;
  readonly requests: readonly StoreMethod[];
}

async function run(world: Lake, { silent, after }: Silence): Promise<Ran> {
  const requests: StoreMethod[] = [];
  const store = decorate(world.store, <T>({ method }: { method: StoreMethod }, made: Observable<T>) => {
    requests.push(method);
    if (!silent(requests.length, method)) return made;
    return after ? made.pipe(ignoreElements()) : EMPTY;
  });
  const { job } = world.job({
    stores: createStores({ schemes: { memory: (): ObjectStore => store }, clock: world.clock }),
    checkpoints: { interval: 20 },
    restart: { attempts: 2 },
  });
  const flow = job
    .source(
      'in',
      files('memory://lake/in/*', { format: ndjson<Row>(), prefetch: { window: 1, fragment: 512 } }),
    )
    .pipe(
      keyed('count', {
        key: ({ id }) => id % 7,
        state: { seen: valueState(0) },
        onRecord: ({ id }, { seen }) => [{ id, n: seen.update((n) => n + 1) }],
      }),
      fileSink('out', 'memory://lake/out', { format: ndjson(), roll: { checkpoints: 1 } }),
    );
  try {
    return { ended: (await world.run(job, flow)).outcome, requests };
  } catch (error) {
    return { ended: (error as { readonly code?: string }).code ?? String(error), requests };
  }
}

function lake(): Lake {
  const world = new Lake();
  for (let file = 0; file < 3; file++) world.put(`in/${file}`, rows.slice(file * 100, (file + 1) * 100));
  return world;
}

const written = (world: Lake): readonly number[] =>
  (world.lines('out/') as Row[]).map(({ id }) => id).sort((a, b) => a - b);

const never: Silence = { silent: () => false, after: false };
const ids = rows.map(({ id }) => id);

/** The job ends, with the error or with the right output; on a store that answers, the next run finishes it. */
async function holds(silence: Silence): Promise<string> {
  const world = lake();
  const { ended } = await run(world, silence);
  expect(['NoAnswer', 'finished']).toContain(ended);
  if (ended === 'finished') expect(written(world)).toEqual(ids);
  expect((await run(world, never)).ended).toBe('finished');
  expect(written(world)).toEqual(ids);
  return ended;
}

test('a request of a job that completes without an answer is an error, and the next run is exact', async () => {
  const { requests } = await run(lake(), never);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: requests.length }), fc.boolean(), async (k, after) => {
      await holds({ silent: (request) => request === k, after });
    }),
    { numRuns: 40 },
  );
});

test('a verb that never answers ends the job', async () => {
  const { requests } = await run(lake(), never);
  const used = [...new Set(requests)];
  expect(used).toEqual(expect.arrayContaining(['get', 'put', 'list', 'createUpload', 'completeUpload']));
  for (const verb of used) {
    for (const after of [false, true]) {
      const ended = await holds({ silent: (_, method) => method === verb, after });
      // What the sweep and the removal of garbage cannot do is reported; the output does not depend on it.
      if (!['delete', 'listUploads', 'abortUpload'].includes(verb))
        expect([verb, ended]).toEqual([verb, 'NoAnswer']);
    }
  }
});
