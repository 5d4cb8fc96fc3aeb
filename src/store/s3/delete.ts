import { DeleteObjectCommand, DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { checkKey } from '../helpers.js';
import type { DeleteFailure } from '../objectStore.js';
import { toStoreError } from './errors.js';
import { fitsXml } from './keys.js';
import type { Place } from './place.js';

/** What one batch delete takes. */
const batchSize = 1000;

/** Deletes by batches, one after the other; keys that XML cannot carry go one by one, in the URL. */
export async function deleteKeys(place: Place, keys: readonly string[]): Promise<readonly DeleteFailure[]> {
  for (const key of keys) checkKey(key);
  const failures: DeleteFailure[] = [];
  const batched = keys.filter(fitsXml);
  for (let i = 0; i < batched.length; i += batchSize) {
    failures.push(...(await deleteBatch(place, batched.slice(i, i + batchSize))));
  }
  for (const key of keys) {
    if (!fitsXml(key)) failures.push(...(await deleteOne(place, key)));
  }
  return failures;
}

async function deleteBatch(
  { client, bucket, signal }: Place,
  keys: readonly string[],
): Promise<DeleteFailure[]> {
  const input = { Bucket: bucket, Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) } };
  const { Errors } = await client.send(new DeleteObjectsCommand(input), { abortSignal: signal });
  return (Errors ?? [])
    .filter(({ Code }) => Code !== 'NoSuchKey')
    .map(({ Key = '', Code = 'InternalError', Message }) => {
      const raw = { name: Code, message: Message };
      return { key: Key, error: toStoreError(raw, { operation: 'DeleteObjects', bucket, key: Key }) };
    });
}

async function deleteOne({ client, bucket, signal }: Place, key: string): Promise<DeleteFailure[]> {
  try {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal });
    return [];
  } catch (raw) {
    const error = toStoreError(raw, { operation: 'DeleteObject', bucket, key });
    return error.code === 'NotFound' && !('serverCode' in error && error.serverCode === 'NoSuchBucket')
      ? []
      : [{ key, error }];
  }
}
