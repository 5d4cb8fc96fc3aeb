import { defer, tap } from 'rxjs';
import { savepointFromOutside } from '../../../src/checkpoint/savepoints/outside.js';
import { readSavepoint } from '../../../src/checkpoint/savepoints/read.js';
import { encodeManifest } from '../../../src/checkpoint/manifestCodec.js';
import { logKey, type Manifest } from '../../../src/checkpoint/manifest.js';
import { scopeOf } from '../../../src/checkpoint/trust.js';
import { createMemoryStore, decorate, type StoreCall } from '../../../src/entries/stores.js';
import { SimulatedClock } from '../../../src/testing/index.js';
import { keysOf, now } from '../../simulation/world.js';

const prefix = 'checkpoints/clicks/';
const names = [1, 2].map((n) => `data/0000000001/op-${n}.state`);

function manifestOf(n: number, objects: readonly string[]): Manifest {
  return {
    ...{ version: 1, jobId: 'abcdefghijkl', job: 'clicks', n, prev: null, parent: null, epoch: 1 },
    ...{ putId: `a-${n}`, kind: 'checkpoint', checkpoint: n, at: 0, pending: [], garbage: [], retained: [] },
    operators: { op: { kind: 'operator', snapshot: { objects: [...objects] }, open: [], objects } },
  };
}

/** A log with one entry, and what happens when a request is sent. */
function made(when: (call: StoreCall) => void = () => undefined) {
  const store = createMemoryStore({ uri: 'memory://lake' });
  const write = (manifest: Manifest): void =>
    void now(store.put(prefix + logKey(manifest.n), encodeManifest(manifest)));
  for (const name of names) now(store.put(prefix + name, Buffer.from(name)));
  write(manifestOf(1, names));
  const calls: StoreCall[] = [];
  const watched = decorate(store, (call, run) =>
    defer(() => {
      when(call);
      return run;
    }).pipe(tap({ subscribe: () => calls.push(call) })),
  );
  const location = { store: watched, bucket: '' };
  const log = { store: watched, prefix, scope: scopeOf({ store, prefix, job: 'clicks' }) };
  const target = { ...location, key: 'savepoints/a' };
  let result: unknown;
  const run = (): unknown => {
    savepointFromOutside({
      ...{ log, location, target, clock: new SimulatedClock(), random: () => 0.5 },
    }).subscribe({ next: (each) => (result = each), error: (error: unknown) => (result = error) });
    return result;
  };
  return { store, write, calls, run, target };
}

test('copies the newest entry, and writes nothing below the directory of the job', () => {
  const { store, calls, run, target } = made();
  const before = keysOf(store, prefix);
  expect(run()).toMatchObject({ objects: 2, manifest: { n: 1 } });
  expect(now(readSavepoint(target))).toMatchObject({ job: 'clicks', checkpoint: 1 });
  expect(keysOf(store, prefix)).toEqual(before);
  const reads = new Set(['get', 'head', 'list']);
  const writes = calls.filter(({ method }) => !reads.has(method)).map(({ key }) => key);
  expect(writes.filter((key) => !key.startsWith('savepoints/a/'))).toEqual([]);
});

test.each(['head', 'copy'] as const)(
  'a job that deletes what is copied, at the %s of an object: the savepoint is overtaken, and has no root',
  (method) => {
    let over = false;
    const world = made(({ method: sent, key }) => {
      if (over || sent !== method || !key.endsWith('op-2.state')) return;
      over = true;
      world.write(manifestOf(2, names.slice(0, 1)));
      world.store.delete([`${prefix}${names[1] ?? ''}`, prefix + logKey(1)]).subscribe();
    });
    expect(world.run()).toMatchObject({ code: 'SavepointOvertaken', retryable: false });
    expect(over).toBe(true);
    expect(keysOf(world.store, 'savepoints/').filter((key) => key.endsWith('root'))).toEqual([]);
  },
);

test('a job that goes on, and deletes nothing that is copied, does not matter', () => {
  const world = made(({ method }) => {
    if (method === 'copy') world.write(manifestOf(2, names));
  });
  expect(world.run()).toMatchObject({ manifest: { n: 1 } });
});

test('an object that is missing, while the log has no later entry, is the error of the store', () => {
  const world = made();
  world.store.delete([`${prefix}${names[1] ?? ''}`]).subscribe();
  expect(world.run()).toMatchObject({ code: 'NotFound' });
});
