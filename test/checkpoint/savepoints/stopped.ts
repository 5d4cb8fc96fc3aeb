/** A savepoint in a store, and commands that die at each of their requests. */
import { concat, defer, ignoreElements, NEVER, type Observable } from 'rxjs';
import type { Manifest } from '../../../src/checkpoint/manifest.js';
import { readSavepoint, type SavepointPlace } from '../../../src/checkpoint/savepoints/read.js';
import { encodeRoot, rootOf, savepointName } from '../../../src/checkpoint/savepoints/root.js';
import { createMemoryStore, decorate, type ObjectStore } from '../../../src/entries/stores.js';
import { keysOf, now } from '../../simulation/world.js';

export const folder = 'savepoints/savepoint-clicks-20260131T120000Z-x7k2pq';
const names = [1, 2, 3].map((n) => `data/0000000001/op-${n}.state`);

export const manifest: Manifest = {
  ...{ version: 1, jobId: 'abcdefghijkl', job: 'clicks', n: 9, prev: null, parent: null, epoch: 1 },
  ...{ putId: 'a', kind: 'savepoint', checkpoint: 7, at: 0, pending: [], garbage: [], retained: [] },
  operators: { op: { kind: 'operator', snapshot: { names }, open: [], objects: names } },
};

/** A store with a savepoint in {@link folder}. */
export function stored(): ObjectStore {
  const store = createMemoryStore({ uri: 'memory://lake' });
  for (const name of names) now(store.put(`${folder}/${savepointName(manifest, name)}`, Buffer.from(name)));
  const sizes = new Map(names.map((name) => [name, name.length]));
  now(store.put(`${folder}/root`, encodeRoot(rootOf(manifest, sizes))));
  return store;
}

/** Whether a folder is a savepoint; throws if it has a root and lacks objects. */
export function isWhole(place: SavepointPlace): boolean {
  const there = new Set(keysOf(place.store, place.key));
  if (!there.has(`${place.key}/root`)) return false;
  for (const [name] of now(readSavepoint(place)).data)
    if (!there.has(`${place.key}/${name}`)) throw new Error(`The root names ${name}, which does not exist.`);
  return true;
}

/**
 * Does the work in new stores, once for each of its requests: the process dies at that one, before or after it takes
 * effect. Then `check` is called with the store.
 */
export function dyingAtEach(
  work: (store: ObjectStore) => Observable<unknown>,
  check: (store: ObjectStore) => void,
): void {
  for (const after of [false, true]) {
    for (let last = 1, over = false; !over; last++) {
      const inner = stored();
      let requests = 0;
      const store = decorate(inner, (_, run) =>
        defer(() => {
          requests += 1;
          if (requests < last) return run;
          return requests === last && after ? concat(run.pipe(ignoreElements()), NEVER) : NEVER;
        }),
      );
      work(store).subscribe({ complete: () => (over = true) });
      check(inner);
      if (requests < last && !over) throw new Error('It neither ends nor sends a request.');
    }
  }
}
