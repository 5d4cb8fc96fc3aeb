/**
 * Objects larger than memory, read and written by whole jobs, or by streams of `millrace/fs`. The first round warms
 * the process up with a small object, later rounds use the full size. A digest shows whether every byte was
 * transferred.
 */
import { bytes, createJob, fileSink, files, values, type Job } from 'millrace';
import { createMemoryStore, createStores, type Stores } from 'millrace/stores';
import type { RowWriter } from 'millrace/operators';
import { createFs } from 'millrace/fs';
import { pipeline } from 'node:stream/promises';
import { lastValueFrom, tap, type Observable } from 'rxjs';
import type { Params, Start } from '../harness/workload.js';
import { blocks } from '../synthetic/blocks.js';
import { Digest } from '../synthetic/digest.js';
import { SyntheticStore } from '../synthetic/store.js';
import { storesOf } from '../variants/stores.js';

const MiB = 2 ** 20;
const window = 8;
const fragment = 8 * MiB;
const sourceBudget = 16 * MiB;
const sinkBudget = 64 * MiB;
const readBudget = 64 * MiB;

/** The memory that the settings of the jobs allow. Bytes. */
export const budgets = {
  reading: (window + 1) * fragment + sourceBudget,
  writing: sourceBudget + sinkBudget,
  copying: (window + 1) * fragment + sourceBudget + sinkBudget,
  // Four parts in flight, one waiting, one being filled.
  streaming: readBudget + 6 * 8 * MiB,
};
export type Transfer = keyof typeof budgets;

/** Delay of the store, so that it is slower than its input and budgets fill up. Milliseconds. */
export const partDelay = 40;

/** Keys of generated objects by size, and the output prefix. */
export const keyOf = (size: number): string => `generated/${size}`;
export const sink = 'out/';

/** Params: `size` and `warm` in bytes; with an `endpoint`, all goes to bucket `bench` of that server, else to a store in the process. */
export const reading: Start = (params) =>
  transfers(params, (job, { input, digest }) =>
    read(job, input).pipe(
      values(),
      tap((block) => digest.update(block)),
    ),
  );

export const writing: Start = (params) =>
  transfers(params, (job, { size, output }) => job.source('in', blocks(size)).pipe(written(output, asIs)));

export const copying: Start = (params) =>
  transfers(params, (job, { input, output }) => read(job, input).pipe(written(output, bytes())));

/** `createReadStream` into `createWriteStream` of `millrace/fs`, with default settings. */
export const streaming: Start = (params) => {
  const { sizes, place } = setUp(params);
  const fs = createFs({ stores: place.stores });
  let round = 0;
  return {
    async round() {
      const size = sizes[Math.min(round++, 1)]!;
      const prefix = `${sink}${round}/`;
      await pipeline(
        fs.createReadStream(`${place.base}/${keyOf(size)}`),
        fs.createWriteStream(`${place.base}/${prefix}copy`),
      );
      return { digest: async () => (await place.published(prefix)) ?? 'nothing', amount: size };
    },
    async close() {
      await fs.close();
      place.close();
    },
  };
};

const read = (job: Job, uri: string) =>
  job.source('in', files(uri, { format: bytes(), prefetch: { window, fragment } }));

const asIs: RowWriter<string> = { extension: '', encode: (block) => block };
const roll = { size: '8GiB', age: '1h', inactivity: '1h' } as const;
const written = <T>(uri: string, format: RowWriter<T>) =>
  fileSink<T>('out', uri, { format, budget: sinkBudget, roll });

interface Task {
  readonly size: number;
  readonly input: string;
  readonly output: string;
  /** Of what was read. */
  readonly digest: Digest;
}

function transfers(params: Params, flow: (job: Job, task: Task) => Observable<unknown>): ReturnType<Start> {
  const { sizes, place } = setUp(params);
  let round = 0;
  return {
    async round() {
      const size = sizes[Math.min(round++, 1)]!;
      const prefix = `${sink}${round}/`;
      const digest = new Digest();
      const job = createJob({
        name: `transfer-${round}`,
        checkpoints: { dir: 'memory://checkpoints', interval: '1s' },
        budget: sourceBudget,
        stores: place.stores,
        // Reading updates a running digest, which a restart would not reset.
        restart: 'none',
      });
      await job.run(
        flow(job, { size, input: `${place.base}/${keyOf(size)}`, output: `${place.base}/${prefix}`, digest }),
      );
      return { digest: async () => (await place.published(prefix)) ?? digest.toString(), amount: size };
    },
    close() {
      place.close();
      return Promise.resolve();
    },
  };
}

function setUp(params: Params): { readonly sizes: readonly number[]; readonly place: Place } {
  const sizes = [Number(params['warm']), Number(params['size'])];
  return { sizes, place: params['endpoint'] === undefined ? inProcess(sizes) : onServer(params) };
}

interface Place {
  readonly stores: Stores;
  readonly base: string;
  /** The digest of the one object below the prefix, if there is any. */
  published(prefix: string): Promise<string | undefined>;
  close(): void;
}

function inProcess(sizes: readonly number[]): Place {
  const store = new SyntheticStore(createMemoryStore({ uri: 'memory://bench' }), {
    generated: Object.fromEntries(sizes.map((size) => [keyOf(size), size])),
    sink,
    partDelay,
  });
  const memory = (bucket: string) =>
    bucket === 'bench' ? store : createMemoryStore({ uri: `memory://${bucket}` });
  return {
    stores: createStores({ schemes: { memory } }),
    base: 'memory://bench',
    published: (prefix) =>
      Promise.resolve([...store.published()].find(([key]) => key.startsWith(prefix))?.[1].digest),
    close: () => undefined,
  };
}

/** Over S3 only ETags are known, which are equal for equal parts. */
function onServer(params: Params): Place {
  const { stores, close } = storesOf(params);
  return {
    stores,
    base: 's3://bench',
    async published(prefix) {
      const { store } = stores.open('s3://bench/');
      const { objects } = await lastValueFrom(store.list({ prefix }));
      return objects[0] === undefined ? undefined : `etag ${objects[0].etag}`;
    },
    close,
  };
}
