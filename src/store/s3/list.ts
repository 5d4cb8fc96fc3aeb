import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { checkLimit } from '../helpers.js';
import type { ListOptions, ListPage, UploadCursor, UploadPage } from '../objectStore.js';
import { decodeKey, stripQuotes } from './keys.js';
import type { Place } from './place.js';

/** One page of the objects. */
export async function list(place: Place, options: ListOptions): Promise<ListPage> {
  const input = {
    Bucket: place.bucket,
    Prefix: options.prefix,
    StartAfter: options.startAfter,
    Delimiter: options.delimiter,
    ContinuationToken: options.cursor,
    MaxKeys: checkLimit(options.limit),
    EncodingType: 'url' as const,
  };
  const answer = await place.client.send(new ListObjectsV2Command(input), { abortSignal: place.signal });
  const encoding = answer.EncodingType;
  return {
    objects: (answer.Contents ?? []).map((object) => ({
      key: decodeKey(object.Key, encoding),
      size: object.Size ?? 0,
      etag: stripQuotes(object.ETag),
      modified: object.LastModified?.getTime() ?? 0,
      ...(object.StorageClass === undefined ? {} : { storageClass: object.StorageClass }),
    })),
    prefixes: (answer.CommonPrefixes ?? []).map((common) => decodeKey(common.Prefix, encoding)),
    ...(answer.IsTruncated === true && answer.NextContinuationToken !== undefined
      ? { cursor: answer.NextContinuationToken }
      : {}),
  };
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
