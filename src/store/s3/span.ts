import { isCount } from '../../shape.js';
import type { IncomingMessage } from 'node:http';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { ByteRange } from '../objectStore.js';

/** Bytes `start` to `end` of an object of `size`. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly size: number;
}

/**
 * The bytes that the response holds, and the object's size; `undefined` if it does not announce them. Drops the body and
 * throws if they are not the requested ones.
 */
export function spanOf(
  answer: GetObjectCommandOutput,
  range: ByteRange | undefined,
  key: string,
): Span | undefined {
  const { ContentRange, ContentLength: size, $metadata } = answer;
  if (ContentRange === undefined && $metadata.httpStatusCode !== 206) {
    if (!isCount(size)) return undefined;
    if (range === undefined || (range.start === 0 && size <= (range.end ?? Infinity)))
      return { start: 0, end: size, size };
    drop(answer);
    throw new StoreError(
      'NotSupported',
      `GetObject ${key}: the server ignored the range. Use a server (or proxy) that answers ranged reads.`,
    );
  }
  const part = partOf(answer);
  if (
    part !== undefined &&
    range?.start === part.start &&
    part.end === Math.min(range.end ?? part.size, part.size)
  )
    return part;
  drop(answer);
  const what = part === undefined ? 'a part that it does not name' : `bytes ${part.start} to ${part.end}`;
  throw new StoreError(
    'Integrity',
    `GetObject ${key}: the server sent ${what}, which is not what was requested. Read it again.`,
  );
}

/** The size of the whole object, if the response has it. */
export function totalOf(answer: GetObjectCommandOutput): number | undefined {
  const whole = answer.ContentRange === undefined && answer.$metadata.httpStatusCode !== 206;
  const size = whole ? answer.ContentLength : partOf(answer)?.size;
  return isCount(size) ? size : undefined;
}

export function drop(answer: GetObjectCommandOutput): void {
  (answer.Body as IncomingMessage).destroy();
}

function partOf({ ContentRange = '' }: GetObjectCommandOutput): Span | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange);
  if (match === null) return undefined;
  const [start, last, size] = match.slice(1).map(Number);
  return isCount(start) && isCount(last) && isCount(size) ? { start, end: last + 1, size } : undefined;
}
