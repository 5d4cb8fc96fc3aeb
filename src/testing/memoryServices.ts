import { of } from 'rxjs';
import type { Service } from '../flow/index.js';
import { createMemoryStore } from '../store/memory/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import { checkpointData, stores, type CheckpointData, type Stores } from '../store/services.js';

export interface MemoryServicesOptions {
  /** The store for everything. Default: a new memory store. */
  readonly store?: ObjectStore;
  /** The attempt's epoch. Names of checkpoint data contain it, so that attempts do not share names. Default 1. */
  readonly epoch?: number;
  /** Minimum part size of multipart uploads, in bytes. Default 16, so that few records fill several parts. */
  readonly minimumPartSize?: number;
}

/**
 * The services of a job: stores, and names for checkpoint data. For operators with state and for sinks, in
 * `checkLaws`, `runMarbles` and `TestAttempt`.
 *
 * @example
 * ```ts
 * const total = () =>
 *   keyed('total', { key: (n: number) => n % 2, state: { sum: valueState(0) }, onRecord: (n, { sum }) => [sum.update((s) => s + n)] });
 * fc.assert(fc.property(lawInputs(fc, fc.nat()), (input) => checkLaws(total, input, { services: memoryServices })));
 * ```
 */
export function memoryServices(options: MemoryServicesOptions = {}): ReadonlyMap<Service<unknown>, unknown> {
  const { epoch = 1, minimumPartSize = 16 } = options;
  const { store = createMemoryStore({ uri: 'memory://lake', minimumPartSize, clock: { now: () => 0 } }) } =
    options;
  const located: Stores = {
    open: (uri) => ({
      store,
      bucket: 'test',
      reserved: store,
      key: uri.replace('memory://lake/', ''),
      capabilities: of({ conditionalPut: true, completeSubset: true, minimumPartSize }),
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
