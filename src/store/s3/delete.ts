import { DeleteObjectCommand, DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { checkKey } from '../helpers.js';
import type { DeleteFailure } from '../objectStore.js';
import { toStoreError } from './errors.js';
import { fitsXml } from './keys.js';
import type { Place } from './place.js';

/** Keys in one DeleteObjects. */
const batchSize = 1000;

/** Deletes in sequential batches. Keys that XML cannot represent are deleted singly, with the key in the URL. */
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

/** Keys that the response does not mention are deleted singly. A quiet batch would not show which those are. */
async function deleteBatch(place: Place, keys: readonly string[]): Promise<DeleteFailure[]> {
  const { client, bucket, signal } = place;
  const input = { Bucket: bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } };
  const { Deleted, Errors } = await client.send(new DeleteObjectsCommand(input), { abortSignal: signal });
  const open = new Set(keys);
  const failures: DeleteFailure[] = [];
  for (const { Key = '' } of Deleted ?? []) open.delete(Key);
  for (const { Key = '', Code = 'InternalError', Message } of Errors ?? []) {
    if (!open.delete(Key) || Code === 'NoSuchKey') continue;
    const raw = { name: Code, message: Message };
    failures.push({ key: Key, error: toStoreError(raw, { operation: 'DeleteObjects', bucket, key: Key }) });
  }
  for (const key of open) failures.push(...(await deleteOne(place, key)));
  return failures;
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
