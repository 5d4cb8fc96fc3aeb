import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { isCount } from '../../shape.js';
import { StoreError } from '../errors.js';
import type { ObjectInfo } from '../objectStore.js';
import { incomplete } from './answers.js';
import { contentOf, metadataOf } from './headers.js';
import { bareEtag, isWeak, quoted } from './keys.js';
import type { Place } from './place.js';
import { drop, totalOf } from './span.js';

export interface ObjectPlace extends Place {
  readonly key: string;
}

/** Errors: `Unavailable` if the answer lacks what every object has, `NotSupported` if no answer tells the size. */
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
 * A read of the version that has the ETag. No condition on a weak ETag ever holds: where the server (or a proxy that answers for
 * it) has such a one, the condition is left out, and only the ETag in the answer tells the version.
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

/** The ETag of an answer, which is `pin` if there is one: not every server respects If-Match. */
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
      'the answer has no ETag, so it is no object of S3’s. Something other than S3 answers, or alters answers on the way: check the endpoint and the proxies.',
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

/** A proxy that compresses takes the length off the answer to a HEAD; that to a ranged read tells it in another place. */
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

/** A range that begins at the object's end or beyond. */
export function isUnsatisfiable(error: unknown): boolean {
  return statusOf(error) === 416;
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
