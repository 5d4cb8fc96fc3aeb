import { concatMap, tap, type Observable } from 'rxjs';
import { copyData, copySavepoint, lookUp } from '../../../src/checkpoint/savepoints/copy.js';
import type { Manifest } from '../../../src/checkpoint/manifest.js';
import {
  createMemoryStore,
  decorate,
  type ObjectStore,
  type StoreCall,
} from '../../../src/entries/stores.js';
import { allowancesOf, MemoryBudget } from '../../../src/job/memory/index.js';
import { delayed, SimulatedClock } from '../../../src/testing/index.js';
import { now } from '../../simulation/world.js';

const MiB = 2 ** 20;
const place = { prefix: 'job/' };
const names = Array.from({ length: 6 }, (_, n) => `data/0000000001/op-${n}.state`);

function manifestOf(note: string): Manifest {
  return {
    ...{ version: 1, jobId: 'abcdefghijkl', job: 'clicks', n: 1, prev: null, parent: null, epoch: 1 },
    ...{ putId: 'a', kind: 'checkpoint', checkpoint: 1, at: 0, pending: [], garbage: [], retained: [] },
    operators: { op: { kind: 'operator', snapshot: { note, names }, open: [], objects: names } },
  };
}

/** Two stores, the objects in the first, and the requests to the second. */
function world(size: number, server?: object) {
  const clock = new SimulatedClock();
  const from = createMemoryStore({ uri: 'memory://lake', clock });
  const to = createMemoryStore({ uri: 'memory://archive', clock });
  for (const name of names) now(from.put(place.prefix + name, Buffer.alloc(size)));
  const calls: StoreCall[] = [];
  const watched = decorate(to, (call, run) => run.pipe(tap({ subscribe: () => calls.push(call) })));
  const located = (store: ObjectStore) => ({
    store,
    bucket: '',
    ...(server === undefined ? {} : { server }),
  });
  const target = { ...located(watched), key: 'copy' };
  return { clock, from, calls, location: located(from), target };
}

test('a root that is too large is found before anything is copied', () => {
  const { clock, calls, location, target } = world(10);
  const copy = (note: string): Observable<unknown> => {
    const manifest = manifestOf(note);
    const around = { clock, random: () => 0.5 };
    return copySavepoint({ ...around, manifest, location, place, target, key: undefined });
  };
  let error: unknown;
  copy('x'.repeat(64 * MiB)).subscribe({ error: (each: unknown) => (error = each) });
  expect(error).toMatchObject({ code: 'ManifestTooLarge' });
  expect(calls).toEqual([]);
  copy('x').subscribe();
  expect(calls.map(({ method, key }) => `${method} ${key.split('/').at(-1) ?? ''}`)).toEqual([
    ...names.map((_, n) => `put op-${n}.state`),
    'put root',
  ]);
});

/** Copies with another owner of memory, and returns what was charged at most. */
function charged(
  total: number,
  size: number,
  server?: object,
): { peak: number; concurrent: number; after: number } {
  const { clock, location, target } = world(size, server);
  const slow = delayed(target.store, { clock, before: ({ method }) => (method === 'put' ? 10 : 0) });
  const budget = new MemoryBudget();
  const none = { waits: () => undefined, granted: () => undefined, exceeded: () => undefined };
  const other = budget.open({ ...none, owner: 'a job', total });
  other.start();
  const allow = allowancesOf(budget, () => total);
  let peak = 0;
  let running = 0;
  let concurrent = 0;
  const measured = decorate(slow, ({ method }, run) =>
    run.pipe(
      tap({
        subscribe: () => {
          if (method === 'put') running++;
          concurrent = Math.max(concurrent, running);
          peak = Math.max(peak, budget.fixed + budget.charged);
        },
        complete: () => {
          if (method === 'put') running--;
        },
      }),
    ),
  );
  const objects = names.map((name) => ({ name, from: place.prefix + name, to: `copy/${name}` }));
  let done = false;
  lookUp(objects, location)
    .pipe(
      concatMap((found) =>
        copyData(found, location, { ...target, store: measured }, { clock, random: () => 0.5, allow }),
      ),
    )
    .subscribe({ complete: () => (done = true) });
  while (clock.step());
  expect(done).toBe(true);
  return { peak, concurrent, after: budget.fixed + budget.charged };
}

test('copies that go through memory are charged to the budget, and fewer run when it is small', () => {
  expect(charged(100 * MiB, MiB)).toEqual({ peak: 4 * MiB, concurrent: 4, after: 0 });
  expect(charged(2 * MiB, MiB)).toEqual({ peak: 2 * MiB, concurrent: 2, after: 0 });
  // One always runs: the job may be waiting for it.
  expect(charged(1, MiB)).toMatchObject({ concurrent: 1, after: 0 });
});
