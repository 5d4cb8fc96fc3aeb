import { DeleteBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { lastValueFrom } from 'rxjs';
import type { ObjectStore } from '../../src/store/objectStore.js';
import type { S3Connection } from '../../src/store/s3/index.js';
import { answer } from './s3support.js';

/** Drops objects and uploads, then the bucket. */
export async function emptyCephBucket(s3: S3Connection, bucket: string): Promise<void> {
  const store = s3.store(bucket);
  await dropAll(store);
  const client = new S3Client({
    endpoint: process.env['MILLRACE_TEST_S3_ENDPOINT'] ?? '',
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: {
      accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
      secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    },
  });
  await client.send(new DeleteBucketCommand({ Bucket: bucket }));
  client.destroy();
}

async function dropAll(store: ObjectStore): Promise<void> {
  for (;;) {
    const { uploads } = await answer(store.listUploads({ prefix: '' }));
    if (uploads.length === 0) break;
    for (const { key, uploadId } of uploads)
      await lastValueFrom(store.abortUpload(key, uploadId), { defaultValue: undefined });
  }
  for (;;) {
    const { objects } = await answer(store.list({}));
    if (objects.length === 0) break;
    await answer(store.delete(objects.map(({ key }) => key)));
  }
}
