import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import type { Start } from '../harness/workload.js';
import { SampledDigest } from '../synthetic/digest.js';
import { s3Client } from './s3Client.js';

/** One GetObject whose stream is read to its end, as a program reads an object without holding it in memory. */
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

/**
 * The same object by plain ranged GetObjects, several in flight: the upper limit of the SDK, Node's HTTP client and
 * this machine. Params: `size`, `window`, `fragment` (bytes).
 */
export const rangedPool: Start = (params) => {
  const client = s3Client(params);
  const [size, window, fragment] = [params['size'], params['window'], params['fragment']].map(Number) as [
    number,
    number,
    number,
  ];
  const fetch = async (start: number): Promise<Buffer[]> => {
    const { Body } = await client.send(
      new GetObjectCommand({
        Bucket: String(params['bucket']),
        Key: String(params['key']),
        Range: `bytes=${start}-${Math.min(start + fragment, size) - 1}`,
      }),
    );
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      (Body as Readable)
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .once('end', () => resolve(chunks))
        .once('error', reject);
    });
  };
  return {
    async round() {
      const digest = new SampledDigest();
      let amount = 0;
      const ahead: Promise<Buffer[]>[] = [];
      for (let start = 0; start < size || ahead.length > 0;) {
        for (; ahead.length < window && start < size; start += fragment) ahead.push(fetch(start));
        for (const chunk of (await ahead.shift()) ?? []) {
          digest.update(chunk);
          amount += chunk.length;
        }
      }
      return { digest: digest.toString(), amount };
    },
    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
};
