import { randomUUID } from 'node:crypto';
import { run } from '../baselines/handwritten.js';
import { s3Client } from '../baselines/s3Client.js';
import type { Start } from '../harness/workload.js';
import { digestOfLines } from '../synthetic/lines.js';

/** The hand-written program with the input of `mainJob`. */
export const handwritten: Start = (params) => {
  const client = s3Client(params);
  const bucket = String(params['bucket']);
  return {
    async round() {
      const out = `${String(params['work'])}${randomUUID()}/out/`;
      const { events } = await run({
        endpoint: String(params['endpoint']),
        bucket,
        prefix: String(params['input']),
        out,
        credentials: {
          accessKeyId: String(params['accessKeyId']),
          secretAccessKey: String(params['secretAccessKey']),
        },
      });
      return { digest: () => digestOfLines(client, bucket, out), amount: events };
    },
    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
};
