import type { IncomingMessage } from 'node:http';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { ByteRange, GetOptions, ObjectBody } from '../objectStore.js';
import { toStoreError } from './errors.js';
import { head, infoOf, isUnsatisfiable, pinned, pinnedEtag } from './head.js';
import type { ObjectPlace } from './place.js';
import { quoted } from './keys.js';
import { verify } from './payload.js';
import { Pieces } from './pieces.js';
import { drop, spanOf } from './span.js';
import { brokenOff } from './failures.js';

/**
 * Reads a range into a list of chunks as received, or into the given memory, or hands it on piece by piece (`pieces.ts`). A body that stalls or breaks off is resumed at
 * most `bodyResumes` times, on another connection and pinned to the same object by its ETag.
 */
export async function get(place: ObjectPlace, options: GetOptions): Promise<ObjectBody> {
  const { range, ifMatch, into, take } = options;
  const { bodyResumes } = place.options;
  if (range?.end !== undefined && range.end <= range.start) return nothing(place, range.start, ifMatch);
  let answer: GetObjectCommandOutput;
  try {
    answer = await send(place, range, ifMatch);
  } catch (error) {
    // The object exists, but has no bytes in this range.
    if (isUnsatisfiable(error)) return nothing(place, range?.start ?? 0, ifMatch, error);
    throw error;
  }
  const first = answer;
  const span = spanOf(answer, range, place.key);
  if (span === undefined) {
    drop(answer);
    // Without a length a truncated body would go unnoticed. The response to a ranged read names its bytes.
    if (range === undefined) return get(place, { ...options, range: { start: 0 } });
    throw unknownLength(place.key);
  }
  const info = infoOf(place.key, answer, span.size);
  const expected = span.end - span.start;
  const memory = into !== undefined && into.length >= expected ? into.subarray(0, expected) : undefined;
  const chunks: Uint8Array[] = memory === undefined ? [] : [memory];
  const pieces = take === undefined || range?.end === undefined ? undefined : new Pieces(take);
  let received = 0;
  for (let resumed = 0; ; resumed++) {
    const body = answer.Body as IncomingMessage;
    const broken = await collect(body, (chunk) => {
      if (received + chunk.length <= expected) {
        if (pieces !== undefined) pieces.add(chunk, body);
        else if (memory === undefined) chunks.push(chunk);
        else memory.set(chunk, received);
      }
      received += chunk.length;
    });
    await pieces?.end();
    if (received === expected) {
      if (range === undefined) verify(place.key, first, chunks);
      return pieces === undefined ? { info, chunks } : { info, chunks: [], taken: received };
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

/** The empty result of a range that is empty, or (416) starts at or beyond the end. */
async function nothing(
  place: ObjectPlace,
  start: number,
  ifMatch: string | undefined,
  refused?: unknown,
): Promise<ObjectBody> {
  const info = await head(place, ifMatch);
  if (refused === undefined || start >= info.size) return { info, chunks: [] };
  throw new StoreError(
    'Integrity',
    `GetObject ${place.key}: the server has nothing from byte ${start} on, of ${info.size}. Read it again.`,
    { status: 416 },
  );
}

async function send(
  place: ObjectPlace,
  range: ByteRange | undefined,
  ifMatch: string | undefined,
): Promise<GetObjectCommandOutput> {
  const { client, bucket, key, signal } = place;
  const last = range?.end === undefined ? '' : range.end - 1;
  const Range = range === undefined ? undefined : `bytes=${range.start}-${last}`;
  const answer = await pinned(place, ifMatch, (condition) => {
    const input = { Bucket: bucket, Key: key, IfMatch: quoted(condition), Range };
    return client.send(new GetObjectCommand(input), { abortSignal: signal });
  });
  try {
    pinnedEtag('GetObject', key, answer.ETag, ifMatch);
  } catch (error) {
    drop(answer);
    throw error;
  }
  return answer;
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
      : 'it is shorter than the server announced';
    throw new StoreError('Integrity', `GetObject ${place.key}: ${what}. Read it again.`, { cause: error });
  }
  if (spanOf(answer, rest, place.key) !== undefined) return answer;
  drop(answer);
  throw unknownLength(place.key);
}

/** Reads to the end. Resolves with the error if the body breaks off. */
function collect(body: IncomingMessage, onChunk: (chunk: Buffer) => void): Promise<Error | undefined> {
  return new Promise((resolve) => {
    body.on('data', onChunk);
    const onClose = (): void => resolve(brokenOff());
    body.once('end', () => {
      // An error costs a stack trace, which is much for a small object.
      body.off('close', onClose);
      resolve(undefined);
    });
    body.once('error', resolve);
    body.once('close', onClose);
    if (body.destroyed && !body.readableEnded) resolve(body.errored ?? brokenOff());
  });
}

function unknownLength(key: string): StoreError {
  return new StoreError(
    'NotSupported',
    `GetObject ${key}: the server does not announce how many bytes it sends. Use a server, and proxies, that send Content-Length or Content-Range.`,
  );
}

function wrongLength(key: string, received: number, expected: number): StoreError {
  return new StoreError(
    'Integrity',
    `GetObject ${key}: ${received} bytes came instead of ${expected}. Read it again.`,
  );
}
