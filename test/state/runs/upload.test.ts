import { concat, concatMap, defer, EMPTY, of, throwError, type Observable } from 'rxjs';
import { pause } from '../../../src/flow/clock.js';
import { ObjectUpload } from '../../../src/state/runs/upload.js';
import { StoreError } from '../../../src/store/errors.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { now } from '../../sinks/harness.js';

const partSize = 5 * 2 ** 20;
const key = 'data/segment';
const body = Buffer.alloc(2 * partSize + 10, 'x');

interface Ended {
  error?: unknown;
  complete?: boolean;
}

function ending(work: Observable<unknown>): Ended {
  const ended: Ended = {};
  work.subscribe({
    error: (error: unknown) => (ended.error = error),
    complete: () => (ended.complete = true),
  });
  return ended;
}

/** Writes two parts and the rest. `around` stands between it and the store. */
function write(around: (store: ObjectStore) => Partial<ObjectStore>) {
  const store = createMemoryStore();
  const clock = new SimulatedClock();
  const target = { store: altered(store, around(store)), key, clock, random: () => 0.5 };
  const upload = new ObjectUpload(target, partSize);
  for (let at = 0; at < 2 * partSize; at += partSize) {
    upload.push(body.subarray(at, at + partSize));
    expect(ending(upload.flush())).toEqual({ complete: true });
  }
  upload.push(body.subarray(2 * partSize));
  const ended = ending(upload.finish());
  clock.advance(60_000);
  return { store, ended };
}

/** A store with some of its methods replaced. */
function altered(store: ObjectStore, by: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(by, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

const lost = (code: 'Unavailable' | 'NotFound' | 'Conflict') =>
  throwError(() => new StoreError(code, 'lost'));

test.each(['Unavailable', 'NotFound', 'Conflict'] as const)(
  'a Complete that succeeded, but was answered %s, has published the object',
  (code) => {
    const { store, ended } = write((inner) => ({
      completeUpload: (...args) => inner.completeUpload(...args).pipe(concatMap(() => lost(code))),
    }));
    expect(ended).toEqual({ complete: true });
    expect(Buffer.concat(now(store.get(key)).chunks).equals(body)).toBe(true);
  },
);

test('a Complete without effect is repeated', () => {
  let asked = 0;
  const { store, ended } = write((inner) => ({
    completeUpload: (...args) => (++asked < 3 ? lost('Unavailable') : inner.completeUpload(...args)),
  }));
  expect(ended).toEqual({ complete: true });
  expect(now(store.head(key)).size).toBe(body.length);
});

test('an object of the same length from another writer is not taken for ours', () => {
  const { ended } = write((inner) => ({
    completeUpload: (at, uploadId, parts) =>
      defer(() => {
        now(concat(inner.abortUpload(at, uploadId), inner.put(at, Buffer.alloc(body.length, 'y'))));
        return inner.completeUpload(at, uploadId, parts);
      }),
  }));
  expect(ended).toMatchObject({ error: { code: 'NotFound' } });
});

test('unsubscribed while its upload is being created, it leaves none', () => {
  const store = createMemoryStore();
  const clock = new SimulatedClock();
  const slow = altered(store, {
    createUpload: (...args) =>
      defer(() => {
        const made = now(store.createUpload(...args));
        return concat(pause(clock, 1000), of(made));
      }),
  });
  const upload = new ObjectUpload({ store: slow, key, clock, random: () => 0.5 }, partSize);
  upload.push(body);
  upload.flush().subscribe().unsubscribe();
  expect(ending(upload.abort() ?? EMPTY)).toEqual({});
  clock.advance(1000);
  expect(now(store.listUploads({ prefix: '' })).uploads).toEqual([]);
});
