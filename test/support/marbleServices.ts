import { of } from 'rxjs';
import {
  checkpointData,
  createMemoryStore,
  delayed,
  stores,
  type CheckpointData,
  type Service,
  type Stores,
} from '../../src/index.js';
import type { MarbleServices } from '../../src/testing/index.js';

/** A memory store that the attempts of one marble file share, and whose answers take 2 ms. */
export function marbleServices(): MarbleServices {
  const memory = createMemoryStore({ uri: 'memory://lake', minimumPartSize: 16, clock: { now: () => 0 } });
  return (clock, epoch) => {
    const store = delayed(memory, { clock, before: () => 2 });
    const capabilities = of({ conditionalPut: true, completeSubset: true, minimumPartSize: 16 });
    const located: Stores = {
      open: (uri) => ({ store, reserved: store, key: uri.replace('memory://lake/', ''), capabilities }),
    };
    let count = 0;
    const data: CheckpointData = {
      store,
      prefix: 'checkpoints/job/',
      name: (operator, suffix) => `data/${epoch}/${operator}-${++count}${suffix}`,
    };
    return new Map<Service<unknown>, unknown>([
      [stores, located],
      [checkpointData, data],
    ]);
  };
}
