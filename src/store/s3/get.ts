import type { IncomingMessage } from 'node:http';
import {
  GetObjectCommand,
  HeadObjectCommand,
  type GetObjectCommandOutput,
  type HeadObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { ByteRange, GetOptions, ObjectBody, ObjectInfo } from '../objectStore.js';
import { toStoreError } from './errors.js';
import { contentOf } from './headers.js';
import { quoted, stripQuotes } from './keys.js';
import { verify } from './payload.js';
import type { Place } from './place.js';

interface ObjectPlace extends Place {
  readonly key: string;
}

export async function head(place: ObjectPlace, ifMatch: string | undefined): Promise<ObjectInfo> {
  const { client, bucket, key, signal } = place;
  const input = { Bucket: bucket, Key: key, IfMatch: quoted(ifMatch) };
  const answer = await client.send(new HeadObjectCommand(input), { abortSignal: signal });
  return infoOf(key, answer, answer.ContentLength ?? 0);
}

/**
 * Reads a range into a list of chunks, as they came, or into memory that was given. A body that stalls or breaks off is
 * continued where it stopped, on another connection and pinned to the same object by its ETag, at most `bodyResumes` times.
 */
export async function get(place: ObjectPlace, options: GetOptions): Promise<ObjectBody> {
  const { range, ifMatch, into } = options;
  const { bodyResumes } = place.options;
  if (range?.end !== undefined && range.end <= range.start)
    return { info: await head(place, ifMatch), chunks: [] };
  let answer: GetObjectCommandOutput;
  try {
    answer = await send(place, range, ifMatch);
  } catch (error) {
    // A range that starts at or behind the end: the object is there, with no bytes for us.
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== 416) throw error;
    return { info: await head(place, ifMatch), chunks: [] };
  }
  const first = answer;
  const span = spanOf(answer, range, place.key);
  const info = infoOf(place.key, answer, span.size);
  const expected = span.end - span.start;
  const memory = into !== undefined && into.length >= expected ? into.subarray(0, expected) : undefined;
  const chunks: Uint8Array[] = memory === undefined ? [] : [memory];
  let received = 0;
  for (let resumed = 0; ; resumed++) {
    const broken = await collect(answer.Body as IncomingMessage, (chunk) => {
      if (memory === undefined) chunks.push(chunk);
      else if (received + chunk.length <= expected) memory.set(chunk, received);
      received += chunk.length;
    });
    if (received === expected) {
      if (range === undefined) verify(place.key, first, chunks);
      return { info, chunks };
    }
    if (broken === undefined || received > expected) throw wrongLength(place.key, received, expected);
    if (place.signal.aborted || resumed >= bodyResumes) throw broken;
    answer = await resume(
      place,
      { start: span.start + received, end: span.end },
      info.etag,
      ifMatch !== undefined,
    );
  }
}

function send(
  place: ObjectPlace,
  range: ByteRange | undefined,
  ifMatch: string | undefined,
): Promise<GetObjectCommandOutput> {
  const { client, bucket, key, signal } = place;
  const input = {
    Bucket: bucket,
    Key: key,
    IfMatch: quoted(ifMatch),
    Range:
      range === undefined
        ? undefined
        : `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}`,
  };
  return client.send(new GetObjectCommand(input), { abortSignal: signal });
}

async function resume(
  place: ObjectPlace,
  rest: ByteRange,
  etag: string,
  pinned: boolean,
): Promise<GetObjectCommandOutput> {
  let answer: GetObjectCommandOutput;
  try {
    answer = await send(place, rest, etag);
  } catch (raw) {
    const error = toStoreError(raw, { operation: 'GetObject', bucket: place.bucket, key: place.key });
    const replaced = error.code === 'PreconditionFailed' && !pinned;
    if (!replaced && !(error instanceof StoreError && error.status === 416)) throw error;
    const what = replaced
      ? 'the object was replaced while it was read'
      : 'it is shorter than the server had said';
    throw new StoreError('Integrity', `GetObject ${place.key}: ${what}. Read it again.`, { cause: error });
  }
  spanOf(answer, rest, place.key);
  return answer;
}

/** Reads to the end, or to where it breaks off: what broke it is the answer then. */
function collect(body: IncomingMessage, onChunk: (chunk: Buffer) => void): Promise<Error | undefined> {
  return new Promise((resolve) => {
    body.on('data', onChunk);
    body.once('end', () => resolve(undefined));
    body.once('error', resolve);
    body.once('close', () => resolve(new Error('The connection was closed')));
    if (body.destroyed && !body.readableEnded)
      resolve(body.errored ?? new Error('The connection was closed'));
  });
}

/** Which bytes the answer holds, and of how many. Throws, with the body dropped, if they are not those asked for. */
function spanOf(
  answer: GetObjectCommandOutput,
  range: ByteRange | undefined,
  key: string,
): { readonly start: number; readonly end: number; readonly size: number } {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange ?? '');
  if (match === null) {
    const size = answer.ContentLength ?? 0;
    if (range === undefined || (range.start === 0 && size <= (range.end ?? Infinity)))
      return { start: 0, end: size, size };
    drop(answer);
    throw new StoreError(
      'NotSupported',
      `GetObject ${key}: the server ignored the range. Use a server (or proxy) that answers ranged reads.`,
    );
  }
  const [start, end, size] = [Number(match[1]), Number(match[2]) + 1, Number(match[3])];
  if (range !== undefined && start === range.start && end === Math.min(range.end ?? size, size))
    return { start, end, size };
  drop(answer);
  throw new StoreError(
    'Integrity',
    `GetObject ${key}: the server sent bytes ${start} to ${end}, which is not what was asked.`,
  );
}

function drop(answer: GetObjectCommandOutput): void {
  (answer.Body as IncomingMessage).destroy();
}

function wrongLength(key: string, received: number, expected: number): StoreError {
  return new StoreError(
    'Integrity',
    `GetObject ${key}: ${received} bytes came instead of ${expected}. Read it again.`,
  );
}

function infoOf(
  key: string,
  answer: GetObjectCommandOutput | HeadObjectCommandOutput,
  size: number,
): ObjectInfo {
  return {
    key,
    size,
    etag: stripQuotes(answer.ETag),
    modified: answer.LastModified?.getTime() ?? 0,
    metadata: answer.Metadata ?? {},
    content: contentOf(answer),
    ...(answer.StorageClass === undefined ? {} : { storageClass: answer.StorageClass }),
  };
}
