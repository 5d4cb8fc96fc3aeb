import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Readable } from 'node:stream';
import type { Start } from '../harness/workload.js';
import { lowerCase } from '../synthetic/lowered.js';
import { s3Client } from './s3Client.js';

async function* lowered(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of body) yield lowerCase(chunk);
}

/** A hand-written loop over a GetObject stream, into lib-storage's `Upload`. Params: `bucket`, `size`, the server. */
export const copyLoop: Start = (params) => {
  const client = s3Client(params);
  const Bucket = String(params['bucket']);
  let round = 0;
  return {
    async round() {
      const target = { Bucket, Key: `out/${process.pid}-${++round}/copy` };
      const { Body } = await client.send(
        new GetObjectCommand({ Bucket, Key: `generated/${Number(params['size'])}` }),
      );
      const stream = Readable.from(lowered(Body as Readable), { objectMode: false });
      const partSize = 8 << 20;
      await new Upload({ client, params: { ...target, Body: stream }, partSize, queueSize: 4 }).done();
      const { ETag = '', ContentLength = 0 } = await client.send(new HeadObjectCommand(target));
      return { digest: `${ETag.replaceAll('"', '')} ${ContentLength}`, amount: ContentLength };
    },
    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
};
