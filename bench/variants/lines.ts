import { createJob, files, ndjson, values } from 'millrace';
import { tap } from 'rxjs';
import type { Start } from '../harness/workload.js';
import { Tally, type Visit } from '../synthetic/pageVisits.js';
import { storesOf } from './stores.js';

/**
 * A whole job that reads lines of NDJSON. Params: the server, `bucket`, `size`, `window`, `fragment` (bytes), `parallelism`, and
 * optionally `split` (bytes). Its checkpoints stay in memory.
 */
export const filesOfLines: Start = (params) => {
  const server = storesOf(params);
  const split = params['split'];
  let round = 0;
  return {
    async round() {
      const tally = new Tally();
      const job = createJob({
        name: `lines-${++round}`,
        checkpoints: { dir: 'memory://bench/checkpoints' },
        stores: server.stores,
      });
      const lines = job.source(
        'lines',
        files(`s3://${String(params['bucket'])}/lines/*.ndjson`, {
          format: ndjson<Visit>(),
          prefetch: { window: Number(params['window']), fragment: Number(params['fragment']) },
          parallelism: Number(params['parallelism']),
          ...(split === undefined ? {} : { splits: { size: Number(split) } }),
        }),
      );
      await job.run(
        lines.pipe(
          values(),
          tap((visit) => tally.add(visit)),
        ),
      );
      return { digest: tally.toString(), amount: Number(params['size']) };
    },
    close() {
      server.close();
      return Promise.resolve();
    },
  };
};
