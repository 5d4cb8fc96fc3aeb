import { CopyObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { checkContent, checkKey, checkMetadata } from '../helpers.js';
import type { CopyOptions, PutOptions, PutResult } from '../objectStore.js';
import { payload } from './checksums.js';
import { contentInput } from './headers.js';
import { copySource, quoted, stripQuotes } from './keys.js';
import type { Place } from './place.js';

export async function put(
  place: Place,
  key: string,
  body: Uint8Array,
  options: PutOptions,
): Promise<PutResult> {
  checkMetadata(options.metadata);
  checkContent(options.content);
  const input = {
    Bucket: place.bucket,
    Key: key,
    ...payload(body, place.options),
    IfNoneMatch: options.ifNoneMatch,
    IfMatch: quoted(options.ifMatch),
    Metadata: options.metadata,
    ...contentInput(options.content),
  };
  const answer = await place.client.send(new PutObjectCommand(input), { abortSignal: place.signal });
  return { etag: stripQuotes(answer.ETag) };
}

export async function copy(place: Place, from: string, to: string, options: CopyOptions): Promise<PutResult> {
  checkKey(from);
  const input = {
    Bucket: place.bucket,
    Key: to,
    CopySource: copySource(options.bucket ?? place.bucket, from),
    CopySourceIfMatch: quoted(options.ifMatch),
  };
  const answer = await place.client.send(new CopyObjectCommand(input), { abortSignal: place.signal });
  return { etag: stripQuotes(answer.CopyObjectResult?.ETag) };
}
