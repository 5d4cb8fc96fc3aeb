import { bounded, bytes, createJob, files, fragments, values } from 'millrace';
import { tap } from 'rxjs';
import type { Start } from '../harness/workload.js';
import { SampledDigest } from '../synthetic/digest.js';
import { storesOf } from './stores.js';

/**
 * A whole job that only reads. Params: `bucket`, `key`, `window`, `fragment` (bytes), the server. Its
 * checkpoints (a first and a last one) stay in memory.
 */
export const filesOfBytes: Start = (params) => {
  const server = storesOf(params);
  let round = 0;
  return {
    async round() {
      const digest = new SampledDigest();
      let amount = 0;
      const job = createJob({
        name: `read-${++round}`,
        checkpoints: { dir: 'memory://bench/checkpoints' },
        stores: server.stores,
      });
      const blocks = job.source(
        'object',
        files(`s3://${String(params['bucket'])}/${String(params['key'])}`, {
          format: bytes(),
          prefetch: { window: Number(params['window']), fragment: Number(params['fragment']) },
        }),
      );
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
    },
    close() {
      server.close();
      return Promise.resolve();
    },
  };
};

/** Only reads, without checkpoints. Params: as above. */
export const fragmentsOfObject: Start = (params) => {
  const server = storesOf(params);
  return {
    async round() {
      const digest = new SampledDigest();
      let amount = 0;
      await bounded(
        fragments(`s3://${String(params['bucket'])}/${String(params['key'])}`, {
          prefetch: { window: Number(params['window']), fragment: Number(params['fragment']) },
        }),
        (flow) =>
          flow.pipe(
            values(),
            tap(({ bytes: piece }) => {
              digest.update(piece);
              amount += piece.length;
            }),
          ),
        { stores: server.stores },
      );
      return { digest: digest.toString(), amount };
    },
    close() {
      server.close();
      return Promise.resolve();
    },
  };
};
