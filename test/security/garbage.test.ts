import { map, type Observable } from 'rxjs';
import { encodeManifest } from '../../src/checkpoint/index.js';
import { logKey } from '../../src/checkpoint/manifest.js';
import { StoreError } from '../../src/store/errors.js';
import type { DeleteFailure, ObjectStore } from '../../src/store/objectStore.js';
import { Harness, prefix } from '../checkpoint/harness.js';

const many = 40_000;
const most = 1000;
const data = (epoch: number, n: number): string =>
  `data/${String(epoch).padStart(10, '0')}/old-${String(n).padStart(6, '0')}`;

/** A store that refuses every deletion; `asked` has how many names each request had. */
function refusing(store: ObjectStore, asked: number[]): ObjectStore {
  return {
    ...store,
    list: (options) => store.list(options),
    delete: (keys): Observable<readonly DeleteFailure[]> => {
      asked.push(keys.length);
      const error = new StoreError('PermissionDenied', 'No.');
      return store.list({ limit: 1 }).pipe(map(() => keys.map((key) => ({ key, error }))));
    },
  };
}

/** A log whose newest entry has more garbage than ours ever have. */
function littered(): Harness {
  const harness = new Harness();
  harness.claim().start().checkpoint(1);
  const garbage = Array.from({ length: many }, (_, n) => data(1, n));
  const manifest = { ...harness.manifest(2), garbage };
  harness.memory.put(prefix + logKey(2), encodeManifest(manifest)).subscribe();
  for (const name of garbage.slice(0, 3000)) harness.write(name);
  return harness;
}

test('names that the store refuses to delete do not grow the manifest, and are not all retried together', () => {
  const harness = littered();
  const asked: number[] = [];
  const job = harness.claim({ store: refusing(harness.store(), asked) }).start();
  for (let n = 2; n < 40; n++) job.checkpoint(n);
  expect(job.code).toBeUndefined();
  const newest = harness.manifest(3 + 38);
  expect(newest.garbage.length).toBeLessThanOrEqual(most);
  expect(Math.max(...asked)).toBeLessThanOrEqual(most);
  // New garbage is named besides names that are refused again and again.
  expect(newest.garbage).toContain(logKey(newest.n - 2));
  expect(job.types.filter((type) => type === 'deletion-refused')).toHaveLength(1);
});

test('names that were dropped are found again once they can be deleted', () => {
  const harness = littered();
  harness
    .claim({ store: refusing(harness.store(), []) })
    .start()
    .checkpoint(2);
  harness.claim().start().checkpoint(3);
  expect(harness.keys('data/')).toEqual([]);
});

test('more garbage than an entry has room for is declared by the next ones, and deleted', () => {
  const harness = new Harness();
  const job = harness.claim().start();
  const names = Array.from({ length: 1800 }, (_, n) => data(1, n));
  for (const name of names) harness.write(name);
  const barrier = job.coordinator.trigger('periodic');
  barrier.ack('in', { snapshot: 1, objects: names });
  barrier.ack('out', {});
  const left: number[] = [];
  for (let n = 2; n < 6; n++) {
    job.checkpoint(n);
    left.push(harness.keys('data/').length);
  }
  expect(left).toEqual([800, 0, 0, 0]);
  expect(job.types).not.toContain('deletion-refused');
});

test('a log with very many old entries is cleared a slice at a time, oldest first', () => {
  const harness = new Harness();
  harness.claim().start().checkpoint(1);
  const newest = { ...harness.manifest(2), n: many };
  for (let n = 3; n < many; n++) harness.write(logKey(n));
  harness.memory.put(prefix + logKey(many), encodeManifest(newest)).subscribe();
  const job = harness.claim().start();
  job.checkpoint(2);
  expect(job.code).toBeUndefined();
  expect(harness.manifest(many + 1).garbage).toEqual(Array.from({ length: most }, (_, i) => logKey(i + 1)));
  expect(harness.keys('log/').slice(0, 2)).toEqual([`log/${2 * most + 1}`, `log/${2 * most + 2}`]);
});
