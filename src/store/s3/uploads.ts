import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { checkKey, checkPartNumber, checkPartOrder } from '../helpers.js';
import type {
  ByteRange,
  CopyOptions,
  PutResult,
  UploadCursor,
  UploadedPart,
  UploadOptions,
} from '../objectStore.js';
import { incomplete } from './responses.js';
import { head } from './head.js';
import { described } from './headers.js';
import { copySource, quoted, writtenEtag } from './keys.js';
import { payload, wholeChecksum } from './payload.js';
import type { Place, UploadPlace } from './place.js';
import { listUploads } from './uploadListings.js';

export async function createUpload(
  place: Place,
  key: string,
  options: UploadOptions,
): Promise<{ readonly uploadId: string }> {
  const input = {
    Bucket: place.bucket,
    Key: key,
    ...described(options, place.options),
    ...wholeChecksum(place.options),
  };
  const command = new CreateMultipartUploadCommand(input);
  const answer = place.client.send(command, { abortSignal: place.signal });
  const { UploadId } = await answer.catch((error: unknown) => abortUnreadable(place, key, error));
  if (UploadId === undefined || UploadId === '')
    throw incomplete(
      'CreateMultipartUpload',
      key,
      'the response has no upload id. Check that the endpoint is an S3 server, and any proxy in between.',
    );
  return { uploadId: UploadId };
}

/** Aborts an upload whose response cannot be parsed, if its id can be extracted. */
async function abortUnreadable(place: Place, key: string, error: unknown): Promise<never> {
  const { $responseBodyText: text = '' } = error as { readonly $responseBodyText?: string };
  const uploadId = /<UploadId>\s*([^<\s]+)\s*<\/UploadId>/.exec(text)?.[1];
  // Best effort: a sweep aborts what is left.
  if (uploadId !== undefined) await abortUpload({ ...place, key, uploadId }).catch(() => undefined);
  throw error;
}

export async function uploadPart(
  place: UploadPlace,
  number: number,
  body: Uint8Array,
): Promise<UploadedPart> {
  checkPartNumber(number);
  const input = { ...named(place), PartNumber: number, ...payload(body, place.options) };
  const answer = await place.client.send(new UploadPartCommand(input), { abortSignal: place.signal });
  return { number, etag: writtenEtag(answer.ETag, 'UploadPart', place.key), size: body.length };
}

export async function copyPart(
  place: UploadPlace,
  number: number,
  from: CopyOptions & { readonly key: string; readonly range?: ByteRange },
): Promise<UploadedPart> {
  checkPartNumber(number);
  checkKey(from.key);
  const source = { ...place, bucket: from.bucket ?? place.bucket, key: from.key };
  // The server accepts no range without an end, and does not report the size of the part.
  let range = from.range;
  let ifMatch = from.ifMatch;
  if (range?.end === undefined) {
    const { etag, size } = await head(source, ifMatch);
    ifMatch = etag;
    range = { start: range?.start ?? 0, end: size };
  }
  const [start, end] = [range.start, range.end ?? 0];
  const input = {
    ...named(place),
    PartNumber: number,
    CopySource: copySource(source.bucket, from.key),
    CopySourceIfMatch: quoted(ifMatch),
    CopySourceRange: `bytes=${start}-${end - 1}`,
  };
  const answer = await place.client.send(new UploadPartCopyCommand(input), { abortSignal: place.signal });
  // Some servers ignore the condition: if the source is unchanged afterwards, it was unchanged during the copy.
  if (ifMatch !== undefined) await head(source, ifMatch);
  const etag = writtenEtag(answer.CopyPartResult?.ETag, 'UploadPartCopy', place.key);
  return { number, etag, size: end - start };
}

export async function completeUpload(
  place: UploadPlace,
  parts: readonly UploadedPart[],
  options: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string },
): Promise<PutResult> {
  // Not every server checks the order.
  checkPartOrder(parts);
  const input = {
    ...named(place),
    IfNoneMatch: options.ifNoneMatch,
    IfMatch: quoted(options.ifMatch),
    MultipartUpload: {
      Parts: parts.map((part) => ({ PartNumber: part.number, ETag: quoted(part.etag) })),
    },
  };
  const answer = await place.client.send(new CompleteMultipartUploadCommand(input), {
    abortSignal: place.signal,
  });
  return { etag: writtenEtag(answer.ETag, 'CompleteMultipartUpload', place.key) };
}

/** Succeeds if the upload no longer exists. */
export async function abortUpload(place: UploadPlace): Promise<void> {
  try {
    await detectMissingUpload(place, () =>
      place.client.send(new AbortMultipartUploadCommand(named(place)), { abortSignal: place.signal }),
    );
  } catch (error) {
    if ((error as { name?: unknown }).name !== 'NoSuchUpload') throw error;
  }
}

/**
 * Some servers respond 500 if an upload does not exist. The listing of uploads distinguishes that from an outage: an upload
 * that is not in it gives `NoSuchUpload`. If the listing fails, the original error is thrown.
 */
export async function detectMissingUpload<T>(place: UploadPlace, exchange: () => Promise<T>): Promise<T> {
  try {
    return await exchange();
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status !== 500 || place.signal.aborted) throw error;
    if (await known(place).catch(() => true)) throw error;
    throw Object.assign(new Error('There is no such upload'), {
      name: 'NoSuchUpload',
      $metadata: { httpStatusCode: 404 },
    });
  }
}

async function known(place: UploadPlace): Promise<boolean> {
  const { key, uploadId } = place;
  let after: UploadCursor | undefined;
  do {
    const page = await listUploads(place, { prefix: key, ...(after === undefined ? {} : { after }) });
    if (page.uploads.some((upload) => upload.key === key && upload.uploadId === uploadId)) return true;
    after = page.uploads.some((upload) => upload.key !== key) ? undefined : page.next;
  } while (after !== undefined);
  return false;
}

function named({ bucket, key, uploadId }: UploadPlace): { Bucket: string; Key: string; UploadId: string } {
  return { Bucket: bucket, Key: key, UploadId: uploadId };
}
