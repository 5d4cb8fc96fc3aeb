import { createJob, fileSink } from 'millrace';
import type { RowWriter } from 'millrace/operators';
import { lastValueFrom } from 'rxjs';
import type { Start } from '../harness/workload.js';
import { blocks } from '../synthetic/blocks.js';
import { storesOf } from './stores.js';

/** Text as it is: formatting is not the subject. */
const asIs: RowWriter<string> = { extension: '', encode: (block) => block };

/**
 * A whole job that only writes one object. Params: `bucket`, `prefix`, `size`, `partSize` (bytes),
 * `inFlight`, the server, and optionally `budget` (bytes). Its checkpoints (a first and a last one) stay in memory.
 */
export const writingFileSink: Start = (params) => {
  const server = storesOf(params);
  let round = 0;
  return {
    async round() {
      // Removes objects of an earlier process.
      const prefix = `${String(params['prefix'])}/${process.pid}-${++round}`;
      const uri = `s3://${String(params['bucket'])}/${prefix}`;
      const job = createJob({
        name: `write-${round}`,
        checkpoints: { dir: 'memory://bench/checkpoints' },
        stores: server.stores,
      });
      await job.run(
        job.source('content', blocks(Number(params['size']))).pipe(
          fileSink('out', uri, {
            format: asIs,
            partSize: Number(params['partSize']),
            inFlight: Number(params['inFlight']),
            ...(params['budget'] === undefined ? {} : { budget: Number(params['budget']) }),
            roll: { size: '8GiB', age: '1h', inactivity: '1h' },
          }),
        ),
      );
      const { store } = server.stores.open(uri);
      const { objects } = await lastValueFrom(store.list({ prefix: `${prefix}/` }));
      if (objects.length !== 1) throw new Error(`${objects.length} objects were written, not one`);
      return { digest: `${objects[0]!.etag} ${objects[0]!.size}`, amount: objects[0]!.size };
    },
    close() {
      server.close();
      return Promise.resolve();
    },
  };
};
