/**
 * The transfers of row `cpu`, as programs write them, with default settings. Each starts with one request for what is not
 * there, so that loading the SDK is not measured. Params: as in `httpPool.ts`.
 */
import { bytes, createJob, files, values } from 'millrace';
import { createFs } from 'millrace/fs';
import { createOperations } from 'millrace/operations';
import { openStores, type OpenedStores } from 'millrace/stores';
import { lastValueFrom, tap } from 'rxjs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Outcome, Params, Start, Workload } from '../harness/workload.js';
import { SampledDigest } from '../synthetic/digest.js';

export const filesBig: Start = (params) =>
  withStores(params, (stores) => readFiles(stores, 's3://bench/big'));
export const filesSmall: Start = (params) =>
  withStores(params, (stores) => readFiles(stores, 's3://bench/small/*.bin'));

export const readStream: Start = (params) =>
  withStores(params, async (stores) => {
    const digest = new SampledDigest();
    let amount = 0;
    const fs = createFs({ stores });
    const into = new Writable({
      write(chunk: Buffer, _, done) {
        digest.update(chunk);
        amount += chunk.length;
        done();
      },
    });
    await pipeline(fs.createReadStream('s3://bench/big'), into);
    await fs.close();
    return { digest: digest.toString(), amount };
  });

export const copyBigDown: Start = (params) =>
  copies(params, 's3://bench/big', ({ directory }) => `${directory}/`);
export const copySmallDown: Start = (params) =>
  copies(params, 's3://bench/small/', ({ directory }) => `${directory}/`);
export const copyBigUp: Start = (params) => copies(params, ({ source }) => `${source}/big`, 's3://bench/up/');
export const copySmallUp: Start = (params) =>
  copies(params, ({ source }) => `${source}/small/`, 's3://bench/up/');

type Uri = string | ((places: { readonly directory: string; readonly source: string }) => string);

function copies(params: Params, from: Uri, to: Uri): Promise<Workload> {
  const places = {
    directory: `file://${String(params['directory'])}`,
    source: `file://${String(params['source'])}`,
  };
  const uri = (of: Uri): string => (typeof of === 'string' ? of : of(places));
  return withStores(params, async (stores) => {
    const operations = createOperations({ stores });
    const { bytes: moved } = await lastValueFrom(operations.bulkCopy({ from: uri(from), to: uri(to) }));
    return { digest: '', amount: moved.done };
  });
}

/** A job that has read everything reads nothing more. */
let reads = 0;

async function readFiles(stores: OpenedStores, uri: string): Promise<Outcome> {
  const digest = new SampledDigest();
  let amount = 0;
  const job = createJob({
    name: `read-${++reads}`,
    checkpoints: { dir: 'memory://bench/checkpoints' },
    stores,
  });
  const blocks = job.source('objects', files(uri, { format: bytes() }));
  await job.run(
    blocks.pipe(
      values(),
      tap((block) => {
        digest.update(block);
        amount += block.length;
      }),
    ),
  );
  return { digest: digest.toString(), amount };
}

async function withStores(
  params: Params,
  round: (stores: OpenedStores) => Promise<Outcome>,
): Promise<Workload> {
  const stores = openStores({
    s3: {
      endpoint: String(params['endpoint']),
      region: 'us-east-1',
      proxy: 'none',
      credentials: { accessKeyId: 'bench', secretAccessKey: 'bench-secret' },
    },
  });
  const { store } = stores.open('s3://bench/');
  await lastValueFrom(store.head('small/000000.bin'));
  return {
    round: () => round(stores),
    close: () => {
      stores.close();
      return Promise.resolve();
    },
  };
}
