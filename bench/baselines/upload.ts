import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Readable } from 'node:stream';
import type { Outcome, Params, Start } from '../harness/workload.js';
import { slice } from '../synthetic/content.js';
import { s3Client } from './s3Client.js';

const chunkSize = 64 << 10;

/** lib-storage's `Upload` of a stream: the SDK's way to upload data while it is produced. */
export const libStorage: Start = (params) =>
  writing(params, async (client, target) => {
    const upload = new Upload({
      client,
      params: { ...target, Body: Readable.from(chunks(Number(params['size'])), { objectMode: false }) },
      partSize: Number(params['partSize']),
      queueSize: Number(params['inFlight']),
    });
    await upload.done();
  });

/** UploadPart of prepared Buffers, several in flight: the upper limit of the SDK. */
export const uploadPool: Start = (params) =>
  writing(params, async (client, target) => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    const size = Number(params['size']);
    const partSize = Number(params['partSize']);
    const parts: CompletedPart[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let offset; (offset = next) < size;) {
        next += partSize;
        const PartNumber = offset / partSize + 1;
        const Body = slice(offset, Math.min(partSize, size - offset));
        const { ETag } = await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }));
        parts[PartNumber - 1] = { ETag, PartNumber };
      }
    };
    await Promise.all(Array.from({ length: Number(params['inFlight']) }, worker));
    await client.send(
      new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: parts } }),
    );
  });

type Target = Readonly<{ Bucket: string; Key: string }>;

function writing(params: Params, write: (client: S3Client, target: Target) => Promise<void>) {
  const client = s3Client(params);
  let round = 0;
  return {
    async round(): Promise<Outcome> {
      const target = { Bucket: String(params['bucket']), Key: `${String(params['prefix'])}/${++round}` };
      await write(client, target);
      const { ETag = '', ContentLength = 0 } = await client.send(new HeadObjectCommand(target));
      return { digest: `${ETag.replaceAll('"', '')} ${ContentLength}`, amount: ContentLength };
    },
    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
}

function* chunks(size: number): Generator<Buffer> {
  for (let offset = 0; offset < size; offset += chunkSize)
    yield slice(offset, Math.min(chunkSize, size - offset));
}
