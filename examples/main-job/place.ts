/**
 * Where the demo works: a folder of this run in a bucket. The demo creates the bucket if it is missing, uploads the
 * input, and finally removes everything that it has created. The job itself never creates a bucket.
 */
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Layout } from './aim.js';
import type { Dataset } from './dataset.js';
import { list, type Place } from './verify/objects.js';

/** Creates the bucket if it is missing. Returns whether it did. */
export async function makeBucket(s3: S3Client, bucket: string): Promise<boolean> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
    return false;
  } catch (error) {
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== 404) throw error;
  }
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  return true;
}

/** Uploads the set, and checks that the cache is intact. */
export async function upload(
  s3: S3Client,
  { bucket, input }: Layout,
  set: Dataset,
  progress: (events: number) => void,
) {
  let done = 0;
  for (const file of set.files) {
    const hash = createHash('sha256');
    const stream = createReadStream(join(set.dir, file.name), { highWaterMark: 1 << 18 });
    const hashed = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        hash.update(chunk);
        yield chunk;
      }
    };
    const params = {
      Bucket: bucket,
      Key: input + file.name,
      Body: Readable.from(hashed(), { objectMode: false }),
    };
    await new Upload({ client: s3, params, partSize: 8 << 20, queueSize: 2 }).done();
    if (hash.digest('hex') !== file.sha256) {
      throw new Error(`${join(set.dir, file.name)} is damaged: remove ${set.dir} and start again.`);
    }
    progress((done += file.events));
  }
}

/** How many uploads under this prefix are neither completed nor aborted. */
async function openUploads(
  s3: S3Client,
  bucket: string,
  prefix: string,
): Promise<{ Key: string; UploadId: string }[]> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
  return Uploads.map(({ Key = '', UploadId = '' }) => ({ Key, UploadId }));
}

/** Removes everything of the run, and the bucket if the run has created it. */
export async function clear(s3: S3Client, place: Place, madeBucket: boolean): Promise<void> {
  const { bucket, prefix } = place;
  let keys: { Key: string }[] = [];
  const flush = async (): Promise<void> => {
    if (keys.length > 0)
      await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: keys, Quiet: true } }));
    keys = [];
  };
  for await (const { key } of list(s3, place)) {
    if (keys.push({ Key: key }) === 1000) await flush();
  }
  await flush();
  for (const { Key, UploadId } of await openUploads(s3, bucket, prefix)) {
    await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
  }
  if (madeBucket) await s3.send(new DeleteBucketCommand({ Bucket: bucket }));
}
