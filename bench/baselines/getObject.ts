import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import type { Start } from '../harness/workload.js';
import { SampledDigest } from '../synthetic/digest.js';
import { s3Client } from './s3Client.js';

/** One GetObject whose stream is read to its end: how a program reads an object that it does not hold in memory. */
export const getObject: Start = (params) => {
  const client = s3Client(params);
  return {
    async round() {
      const { Body } = await client.send(
        new GetObjectCommand({ Bucket: String(params['bucket']), Key: String(params['key']) }),
      );
      const digest = new SampledDigest();
      let amount = 0;
      for await (const chunk of Body as Readable as AsyncIterable<Buffer>) {
        digest.update(chunk);
        amount += chunk.length;
      }
      return { digest: digest.toString(), amount };
    },
    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
};
