import { Observable } from 'rxjs';
import type { Service } from '../../src/entries/operators.js';
import { createMemoryStore, decorate, type ObjectStore } from '../../src/entries/stores.js';
import { delayed, memoryServices, type MarbleServices } from '../../src/testing/index.js';

/** A memory store that the attempts of one marble file share, and whose answers take 2 ms. */
export function marbleServices(): MarbleServices {
  const memory = smallParts();
  return (clock, epoch) => memoryServices({ store: delayed(memory, { clock, before: () => 2 }), epoch });
}

/** A store that never answers, and the number of open requests to it. */
export function stuckServices(pending: { requests: number }): ReadonlyMap<Service<unknown>, unknown> {
  const store = decorate(
    smallParts(),
    () =>
      new Observable(() => {
        pending.requests++;
        return () => pending.requests--;
      }),
  );
  return memoryServices({ store });
}

function smallParts(): ObjectStore {
  return createMemoryStore({ uri: 'memory://lake', minimumPartSize: 16, clock: { now: () => 0 } });
}
