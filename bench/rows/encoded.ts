import { s3Client } from '../baselines/s3Client.js';
import { Child } from '../harness/childProcess.js';
import { comparison, type Variant } from '../harness/comparison.js';
import type { Row } from '../harness/row.js';
import { removeAll } from '../servers/bucket.js';

const url = (path: string): string => new URL(path, import.meta.url).href;
const bucket = 'bench';

/** A million rows of four columns to one object on the gateway, whose content is compared. */
const encoded = (name: 'gzip' | 'csv', title: string): Row =>
  comparison({
    name,
    title,
    unit: 'records',
    processes: 'lasting',
    rounds: 3,
    warmups: 1,
    async prepare({ quick }) {
      const gateway = await Child.start(
        { module: url('../servers/gateway.js'), start: 'gateway' },
        { bucket },
      );
      const client = s3Client(gateway.info);
      const variant = (of: string, start: string): Variant => ({
        name: of,
        program: { module: url('../variants/encoded.js'), start },
        params: { ...gateway.info, bucket, prefix: of, rows: quick ? 20_000 : 1_000_000 },
      });
      return {
        variants: [variant('ours', `${name}ByJob`), variant('loop', `${name}ByLoop`)],
        between: () => removeAll(client, bucket),
        async close() {
          client.destroy();
          await gateway.close();
        },
      };
    },
    goals: [{ metric: 'vs.loop', goal: 0.9, is: 'at least' }],
  });

export const gzip = encoded(
  'gzip',
  'fileSink with compression gzip, a checkpoint each second | a loop of gzipSync over members of the same size, and the same parts',
);
export const csv = encoded(
  'csv',
  'fileSink with csv(), a checkpoint each second | a loop of unparse of Papa Parse, and the same parts',
);
