/** `bounded` from one object to another, through an operator of RxJS. */
import { bounded, bytes, files, fileSink, records } from 'millrace';
import { createMemoryStore, createStores, type Stores } from 'millrace/stores';
import { lastValueFrom, map } from 'rxjs';
import type { Start } from '../harness/workload.js';
import { lowerCase } from '../synthetic/lowered.js';
import { SyntheticStore } from '../synthetic/store.js';
import { storesOf } from './stores.js';

const MiB = 2 ** 20;
const window = 8;
const fragment = 8 * MiB;
const sourceBudget = 16 * MiB;
const sinkBudget = 64 * MiB;

/** The memory that the settings allow. Bytes. */
/** The largest file. */
export const largestFile = 8000 * MiB;

export const budget = (window + 1) * fragment + sourceBudget + sinkBudget;

export const keyOf = (size: number): string => `generated/${size}`;
export const sink = 'out/';

function copy(stores: Stores, from: string, to: string): Promise<void> {
  return bounded(
    files(from, { format: bytes(), prefetch: { window, fragment } }),
    records(map(lowerCase)),
    fileSink('out', to, {
      format: bytes(),
      budget: sinkBudget,
      partSize: 8 * MiB,
      // Beyond 1,000 parts they grow, and with them the budget that a sink needs.
      roll: { size: '8000MiB', age: '10h', inactivity: '10h' },
    }),
    { stores, budget: sourceBudget },
  );
}

/** Params: `bucket`, `size`, the server. */
export const boundedCopy: Start = (params) => {
  const { stores, close } = storesOf(params);
  const base = `s3://${String(params['bucket'])}`;
  let round = 0;
  return {
    async round() {
      const prefix = `${sink}${process.pid}-${++round}/`;
      await copy(stores, `${base}/${keyOf(Number(params['size']))}`, `${base}/${prefix}`);
      const { objects } = await lastValueFrom(stores.open(`${base}/`).store.list({ prefix }));
      const [written] = objects;
      return { digest: `${written?.etag ?? ''} ${written?.size ?? 0}`, amount: written?.size ?? 0 };
    },
    close() {
      close();
      return Promise.resolve();
    },
  };
};

/**
 * The same with a store in the process, which is slower than its input, so that budgets fill up. The first round warms the
 * process up. Params: `warm` and `size` in bytes.
 */
export const boundedInProcess: Start = (params) => {
  const sizes = [Number(params['warm']), Number(params['size'])];
  const store = new SyntheticStore(createMemoryStore({ uri: 'memory://bench' }), {
    generated: Object.fromEntries(sizes.map((size) => [keyOf(size), size])),
    sink,
    partDelay: 20,
  });
  const stores = createStores({ schemes: { memory: () => store } });
  let round = 0;
  return {
    async round() {
      const size = sizes[Math.min(round++, 1)]!;
      store.forget();
      await copy(stores, `memory://bench/${keyOf(size)}`, `memory://bench/${sink}${round}`);
      // One file is full, and the other one is the rest.
      const files = [...store.published().values()].sort((a, b) => b.size - a.size);
      const amount = files.reduce((sum, file) => sum + file.size, 0);
      return { digest: files.map(({ digest }) => digest).join(' '), amount };
    },
  };
};
