import { CopyObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { checkKey } from '../helpers.js';
import type { CopyOptions, PutOptions, PutResult } from '../objectStore.js';
import { payload } from './payload.js';
import { described, stored } from './headers.js';
import { copySource, quoted, writtenEtag } from './keys.js';
import type { Place } from './place.js';

export async function put(
  place: Place,
  key: string,
  body: Uint8Array,
  options: PutOptions,
): Promise<PutResult> {
  const input = {
    Bucket: place.bucket,
    Key: key,
    ...payload(body, place.options),
    IfNoneMatch: options.ifNoneMatch,
    IfMatch: quoted(options.ifMatch),
    ...described(options, place.options),
  };
  const answer = await place.client.send(new PutObjectCommand(input), { abortSignal: place.signal });
  return { etag: writtenEtag(answer.ETag, 'PutObject', key) };
}

export async function copy(place: Place, from: string, to: string, options: CopyOptions): Promise<PutResult> {
  checkKey(from);
  const input = {
    Bucket: place.bucket,
    Key: to,
    CopySource: copySource(options.bucket ?? place.bucket, from),
    CopySourceIfMatch: quoted(options.ifMatch),
    ...stored(place.options),
  };
  const answer = await place.client.send(new CopyObjectCommand(input), { abortSignal: place.signal });
  return { etag: writtenEtag(answer.CopyObjectResult?.ETag, 'CopyObject', to) };
}
