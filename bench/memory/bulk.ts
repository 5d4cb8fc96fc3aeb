/**
 * Objects larger than memory, copied by `bulkCopy` from one store to another: up (from this process to the store
 * under test) and down. As in `transfer.ts`, the first round warms the process up with a small one.
 */
import { createMemoryStore, createStores, type Stores } from 'millrace/stores';
import { createOperations } from 'millrace/operations';
import { lastValueFrom } from 'rxjs';
import type { Params, Start } from '../harness/workload.js';
import { SyntheticStore } from '../synthetic/store.js';
import { storesOf } from '../variants/stores.js';
import { keyOf, partDelay, sink } from './transfer.js';

const MiB = 2 ** 20;
const concurrency = 8;

/** The memory that the settings of the copies allow. Bytes. */
export const bulkBudgets = { up: concurrency * 8 * MiB, down: concurrency * 8 * MiB };
export type Bulk = keyof typeof bulkBudgets;

export const up: Start = (params) => copies(params, 'here', 'there');
export const down: Start = (params) => copies(params, 'there', 'here');

/** Params: `size` and `warm` in bytes; with an `endpoint`, `there` is bucket `bench` of that server. */
function copies(params: Params, from: 'here' | 'there', to: 'here' | 'there'): ReturnType<Start> {
  const sizes = [Number(params['warm']), Number(params['size'])];
  const local = new Map<string, SyntheticStore>();
  const memory = (name: string): SyntheticStore => {
    const store =
      local.get(name) ??
      new SyntheticStore(createMemoryStore({ uri: `memory://${name}` }), {
        generated: Object.fromEntries(sizes.map((size) => [keyOf(size), size])),
        sink,
        partDelay,
      });
    local.set(name, store);
    return store;
  };
  const inProcess = createStores({ schemes: { memory } });
  const server = params['endpoint'] === undefined ? undefined : storesOf(params);
  const stores: Stores = {
    open: (uri) => (uri.startsWith('s3:') && server !== undefined ? server.stores : inProcess).open(uri),
  };
  const uris = { here: 'memory://here', there: server === undefined ? 'memory://there' : 's3://bench' };
  const operations = createOperations({ stores });
  let round = 0;
  return {
    async round() {
      const size = sizes[Math.min(round++, 1)]!;
      const target = `${sink}${round}`;
      const pair = { from: `${uris[from]}/${keyOf(size)}`, to: `${uris[to]}/${target}` };
      const { bytes } = await lastValueFrom(operations.bulkCopy(pair, { concurrency }));
      return { digest: () => digestOf(stores, `${uris[to]}/${target}`, local.get(to)), amount: bytes.done };
    },
    close() {
      server?.close();
      return Promise.resolve();
    },
  };
}

/** Over S3 only ETags are known, which are equal for equal parts. */
async function digestOf(stores: Stores, uri: string, local: SyntheticStore | undefined): Promise<string> {
  const { store, key } = stores.open(uri);
  const published = local?.published().get(key);
  if (published !== undefined) return published.digest;
  return `etag ${(await lastValueFrom(store.head(key))).etag}`;
}
