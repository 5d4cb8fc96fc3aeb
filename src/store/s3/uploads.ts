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
import { incomplete } from './answers.js';
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
  const { UploadId } = await answer.catch((error: unknown) => dropUnreadable(place, key, error));
  if (UploadId === undefined || UploadId === '')
    throw incomplete(
      'CreateMultipartUpload',
      key,
      'the answer has no id of the upload. Check that the endpoint is an S3 server, and what stands between.',
    );
  return { uploadId: UploadId };
}

/** An upload whose answer cannot be read is of no use: it is aborted, if the answer tells its id nevertheless. */
async function dropUnreadable(place: Place, key: string, error: unknown): Promise<never> {
  const { $responseBodyText: text = '' } = error as { readonly $responseBodyText?: string };
  const uploadId = /<UploadId>\s*([^<\s]+)\s*<\/UploadId>/.exec(text)?.[1];
  // The first error counts; what is left then is for sweeps.
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
  // The server tells neither the size of the part nor takes a range without an end.
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
  // There are servers that ignore the condition here: what is the same afterwards was the same then.
  if (ifMatch !== undefined) await head(source, ifMatch);
  const etag = writtenEtag(answer.CopyPartResult?.ETag, 'UploadPartCopy', place.key);
  return { number, etag, size: end - start };
}

export async function completeUpload(
  place: UploadPlace,
  parts: readonly UploadedPart[],
  options: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string },
): Promise<PutResult> {
  // Not every server looks at the order.
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

/** What is not there any more need not be aborted. */
export async function abortUpload(place: UploadPlace): Promise<void> {
  try {
    await orGone(place, () =>
      place.client.send(new AbortMultipartUploadCommand(named(place)), { abortSignal: place.signal }),
    );
  } catch (error) {
    if ((error as { name?: unknown }).name !== 'NoSuchUpload') throw error;
  }
}

/**
 * Some servers answer 500 when an upload is not there, others the same when they are in trouble. The listing of uploads
 * tells which: an upload that it does not know gives `NoSuchUpload`. If the listing fails, the first error stands.
 */
export async function orGone<T>(place: UploadPlace, exchange: () => Promise<T>): Promise<T> {
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
