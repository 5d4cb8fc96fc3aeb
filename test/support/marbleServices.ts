import { Observable, of } from 'rxjs';
import { checkpointData, stores, type CheckpointData, type Service } from '../../src/entries/operators.js';
import { createMemoryStore, decorate, type ObjectStore, type Stores } from '../../src/entries/stores.js';
import { delayed, type MarbleServices } from '../../src/testing/index.js';

/** A memory store that the attempts of one marble file share, and whose answers take 2 ms. */
export function marbleServices(): MarbleServices {
  const memory = smallParts();
  return (clock, epoch) => servicesOf(delayed(memory, { clock, before: () => 2 }), epoch);
}

/** A memory store whose answers are there at once. */
export function memoryServices(): ReadonlyMap<Service<unknown>, unknown> {
  return servicesOf(smallParts(), 1);
}

/** A store that answers nothing, and how many requests wait for it to do so. */
export function stuckServices(pending: { requests: number }): ReadonlyMap<Service<unknown>, unknown> {
  const store = decorate(
    smallParts(),
    () =>
      new Observable(() => {
        pending.requests++;
        return () => pending.requests--;
      }),
  );
  return servicesOf(store, 1);
}

const minimumPartSize = 16;

function smallParts(): ObjectStore {
  return createMemoryStore({ uri: 'memory://lake', minimumPartSize, clock: { now: () => 0 } });
}

function servicesOf(store: ObjectStore, epoch: number): ReadonlyMap<Service<unknown>, unknown> {
  const capabilities = of({ conditionalPut: true, completeSubset: true, minimumPartSize });
  const located: Stores = {
    open: (uri) => ({
      store,
      bucket: 'test',
      reserved: store,
      key: uri.replace('memory://lake/', ''),
      capabilities,
    }),
  };
  let count = 0;
  const data: CheckpointData = {
    store,
    key: (name) => `checkpoints/job/${name}`,
    name: (operator, suffix) => `data/${epoch}/${operator}-${++count}${suffix}`,
  };
  return new Map<Service<unknown>, unknown>([
    [stores, located],
    [checkpointData, data],
  ]);
}
