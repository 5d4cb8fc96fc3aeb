/** Listings of multipart uploads and of their parts. Each page continues after the last entry of the previous one. */
import { ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import { isCount } from '../../shape.js';
import type { StoreError } from '../errors.js';
import { compareKeys } from '../helpers.js';
import type { UploadCursor, UploadedPart, UploadPage } from '../objectStore.js';
import { incomplete } from './responses.js';
import { bareEtag, decodeKey } from './keys.js';
import type { Place, UploadPlace } from './place.js';

/** One page of unfinished uploads. Errors: `NotSupported` if the listing is invalid. */
export async function listUploads(
  place: Place,
  options: { readonly prefix: string; readonly after?: UploadCursor },
): Promise<UploadPage> {
  const { prefix, after } = options;
  const input = {
    Bucket: place.bucket,
    Prefix: prefix,
    KeyMarker: after?.key,
    UploadIdMarker: after?.uploadId,
    // No encoding-type: some servers encode the keys of this listing without announcing it.
  };
  const answer = await place.client.send(new ListMultipartUploadsCommand(input), {
    abortSignal: place.signal,
  });
  const broken = brokenListing('ListMultipartUploads', undefined);
  const uploads = (answer.Uploads ?? []).map(({ Key, UploadId = '', Initiated }) => {
    const key = decodeKey(Key, answer.EncodingType);
    if (key === '' || UploadId === '') throw broken(`it has no ${key === '' ? 'key' : 'id'} of an upload`);
    // Callers abort old uploads, so a missing date must not count as old.
    if (Initiated === undefined) throw broken('it has no start time for an upload');
    if (!key.startsWith(prefix)) throw broken(`it holds ${key}, which is not below the prefix ${prefix}`);
    return { key, uploadId: UploadId, initiated: Initiated.getTime() };
  });
  // Servers order the uploads of one key differently.
  let last = after?.key;
  for (const { key, uploadId } of uploads) {
    const again = key === after?.key && uploadId === after.uploadId;
    if (again || (last !== undefined && compareKeys(key, last) < 0)) throw broken(comesAgain(key));
    last = key;
  }
  const next = uploads.at(-1);
  if (answer.IsTruncated === undefined || (answer.IsTruncated && next === undefined)) throw broken(noEnd);
  return {
    uploads,
    ...(answer.IsTruncated && next !== undefined ? { next: { key: next.key, uploadId: next.uploadId } } : {}),
  };
}

/** One page of an upload's parts. Errors: `NotSupported` if the listing is invalid. */
export async function listParts(
  place: UploadPlace,
  after: number | undefined,
): Promise<{ readonly parts: readonly UploadedPart[]; readonly next?: number }> {
  const { bucket, key, uploadId, signal } = place;
  const input = {
    Bucket: bucket,
    Key: key,
    UploadId: uploadId,
    PartNumberMarker: after === undefined ? undefined : String(after),
  };
  const answer = await place.client.send(new ListPartsCommand(input), { abortSignal: signal });
  const broken = brokenListing('ListParts', key);
  if (answer.UploadId !== undefined && answer.UploadId !== '' && answer.UploadId !== uploadId)
    throw broken('it is that of another upload');
  const parts = (answer.Parts ?? []).map(({ PartNumber: number, ETag, Size: size }) => {
    const etag = bareEtag(ETag);
    if (!isCount(number) || !isCount(size) || etag === '')
      throw broken(`it has no ${!isCount(number) ? 'number' : etag === '' ? 'ETag' : 'size'} of a part`);
    return { number, etag, size };
  });
  let last = after ?? 0;
  for (const { number } of parts) {
    if (number <= last) throw broken(comesAgain(`part ${number}`));
    last = number;
  }
  if (answer.IsTruncated === undefined || (answer.IsTruncated && parts.length === 0)) throw broken(noEnd);
  return { parts, ...(answer.IsTruncated ? { next: last } : {}) };
}

const noEnd = 'it announces more and no place to continue from, or does not announce whether there is more';

function comesAgain(what: string): string {
  return `${what} comes out of order, or again`;
}

function brokenListing(operation: string, key: string | undefined): (why: string) => StoreError {
  return (why) =>
    incomplete(
      operation,
      key,
      `this is not an S3 listing: ${why}. Use a server, and proxies, that list as S3 does.`,
    );
}
