import { ListMultipartUploadsCommand, type S3Client } from '@aws-sdk/client-s3';
import type { UploadCursor, UploadPage } from '../objectStore.js';
import { decodeKey } from './keys.js';

interface Place {
  readonly client: S3Client;
  readonly bucket: string;
  readonly signal: AbortSignal;
}

/** One page of the uploads under way. */
export async function listUploads(
  place: Place,
  options: { readonly prefix: string; readonly after?: UploadCursor },
): Promise<UploadPage> {
  const input = {
    Bucket: place.bucket,
    Prefix: options.prefix,
    KeyMarker: options.after?.key,
    UploadIdMarker: options.after?.uploadId,
    // No encoding-type: there are servers that encode the keys of this listing without saying so.
  };
  const answer = await place.client.send(new ListMultipartUploadsCommand(input), {
    abortSignal: place.signal,
  });
  const encoding = answer.EncodingType;
  const uploads = (answer.Uploads ?? []).map((upload) => ({
    key: decodeKey(upload.Key, encoding),
    uploadId: upload.UploadId ?? '',
    initiated: upload.Initiated?.getTime() ?? 0,
  }));
  const last = uploads.at(-1);
  return {
    uploads,
    ...(answer.IsTruncated === true && last !== undefined
      ? { next: { key: last.key, uploadId: last.uploadId } }
      : {}),
  };
}

/**
 * Some servers answer 500 when an upload is not there, others the same when they are in trouble. The listing of uploads
 * tells which: an upload that it does not know gives `NoSuchUpload`. If the listing fails, the first error stands.
 */
export async function orGone<T>(
  place: Place,
  key: string,
  uploadId: string,
  exchange: () => Promise<T>,
): Promise<T> {
  try {
    return await exchange();
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status !== 500 || place.signal.aborted) throw error;
    if (await known(place, key, uploadId).catch(() => true)) throw error;
    throw Object.assign(new Error('There is no such upload'), {
      name: 'NoSuchUpload',
      $metadata: { httpStatusCode: 404 },
    });
  }
}

async function known(place: Place, key: string, uploadId: string): Promise<boolean> {
  let after: UploadCursor | undefined;
  do {
    const page = await listUploads(place, { prefix: key, ...(after === undefined ? {} : { after }) });
    if (page.uploads.some((upload) => upload.key === key && upload.uploadId === uploadId)) return true;
    after = page.uploads.some((upload) => upload.key !== key) ? undefined : page.next;
  } while (after !== undefined);
  return false;
}
