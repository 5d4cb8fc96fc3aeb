import type { ObjectStore } from '../store/objectStore.js';
import type { CheckpointData } from '../store/services.js';

/** Names data objects `data/<epoch>/<operator>-<counter><suffix>`: no two verified attempts share an epoch. */
export function dataNames(store: ObjectStore, prefix: string, epoch: number): CheckpointData {
  let counter = 0;
  return {
    store,
    prefix,
    name: (operator, suffix) =>
      `data/${String(epoch).padStart(10, '0')}/${encodeURIComponent(operator)}-${++counter}${suffix}`,
  };
}
