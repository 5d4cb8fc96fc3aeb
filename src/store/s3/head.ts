import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { isCount } from '../../shape.js';
import { StoreError } from '../errors.js';
import type { ObjectInfo } from '../objectStore.js';
import { incomplete } from './responses.js';
import { contentOf, metadataOf } from './headers.js';
import { bareEtag, isWeak, quoted } from './keys.js';
import type { ObjectPlace } from './place.js';
import { drop, totalOf } from './span.js';

/** Errors: `NotSupported` if the response lacks the ETag, or no response has the size. */
export async function head(place: ObjectPlace, ifMatch: string | undefined): Promise<ObjectInfo> {
  const { client, bucket, key, signal } = place;
  const answer = await pinned(place, ifMatch, (condition) => {
    const input = { Bucket: bucket, Key: key, IfMatch: quoted(condition) };
    return client.send(new HeadObjectCommand(input), { abortSignal: signal });
  });
  const etag = pinnedEtag('HeadObject', key, answer.ETag, ifMatch);
  const { ContentLength: size } = answer;
  return infoOf(key, answer, isCount(size) ? size : await sizeByRange(place, etag));
}

/**
 * A read of the version with this ETag. A condition on a weak ETag is never true: if the server (or a proxy in front of it)
 * reports a weak one, the condition is left out, and the ETag in the response identifies the version.
 */
export async function pinned<T>(
  { client, bucket, key, signal }: ObjectPlace,
  ifMatch: string | undefined,
  read: (condition: string | undefined) => Promise<T>,
): Promise<T> {
  try {
    return await read(ifMatch);
  } catch (error) {
    if (ifMatch === undefined || statusOf(error) !== 412) throw error;
    const asked = new HeadObjectCommand({ Bucket: bucket, Key: key });
    const now = await client.send(asked, { abortSignal: signal }).catch(() => undefined);
    if (!isWeak(now?.ETag) || bareEtag(now?.ETag) !== ifMatch) throw error;
    return read(undefined);
  }
}

/** The ETag of a response. Throws if it differs from `pin`: not every server respects If-Match. */
export function pinnedEtag(
  operation: 'HeadObject' | 'GetObject',
  key: string,
  etag: string | undefined,
  pin: string | undefined,
): string {
  const bare = bareEtag(etag);
  if (bare === '')
    throw incomplete(
      operation,
      key,
      'the response has no ETag, so it is not from S3, or was altered in transit: check the endpoint and the proxies.',
    );
  if (pin === undefined || bare === pin) return bare;
  throw incomplete(
    operation,
    key,
    `the object has the ETag ${bare}, not ${pin}: it was replaced meanwhile.`,
    'PreconditionFailed',
  );
}

export function infoOf(
  key: string,
  answer: GetObjectCommandOutput | HeadObjectCommandOutput,
  size: number,
): ObjectInfo {
  return {
    key,
    size,
    etag: bareEtag(answer.ETag),
    modified: answer.LastModified?.getTime() ?? 0,
    metadata: metadataOf(answer),
    content: contentOf(answer),
    ...(answer.StorageClass === undefined ? {} : { storageClass: answer.StorageClass }),
  };
}

/** A proxy that compresses removes the length from the response to a HEAD; that to a ranged read has it in Content-Range. */
async function sizeByRange({ client, bucket, key, signal }: ObjectPlace, etag: string): Promise<number> {
  const input = { Bucket: bucket, Key: key, IfMatch: quoted(etag), Range: 'bytes=0-0' };
  let answer: GetObjectCommandOutput;
  try {
    answer = await client.send(new GetObjectCommand(input), { abortSignal: signal });
  } catch (error) {
    if (isUnsatisfiable(error)) return 0;
    throw error;
  }
  drop(answer);
  pinnedEtag('GetObject', key, answer.ETag, etag);
  const size = totalOf(answer);
  if (size !== undefined) return size;
  throw new StoreError(
    'NotSupported',
    `HeadObject ${key}: the server does not announce the size of the object. Use a server, and proxies, that send Content-Length or Content-Range.`,
  );
}

/** Whether the range starts at or beyond the object's end. */
export function isUnsatisfiable(error: unknown): boolean {
  return statusOf(error) === 416;
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
