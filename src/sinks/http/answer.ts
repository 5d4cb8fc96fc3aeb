import {
  catchError,
  defer,
  EMPTY,
  endWith,
  finalize,
  map,
  of,
  reduce,
  repeat,
  takeUntil,
  takeWhile,
  type Observable,
} from 'rxjs';
import { pause } from '../../flow/clock.js';
import type { Clock } from '../../flow/index.js';

/** The most bytes of an answer that are read. */
const longestAnswer = 64 * 1024;
/** Bytes of it that are kept for messages. */
const kept = 4096;
/** The most characters of it in a message. */
const longestExcerpt = 300;

/**
 * Reads the rest of an answer, which would keep the connection busy, and emits how it begins. The status has decided, so an answer
 * that is too long, too slow or broken is given up with its connection.
 *
 * @param patience milliseconds
 */
export function beginningOf({ body }: Response, patience: number, clock: Clock): Observable<string> {
  if (body === null) return of('');
  const chunks = defer(() => {
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    let left = longestAnswer;
    return defer(() => reader.read()).pipe(
      repeat(),
      takeWhile(({ done, value }) => !done && (left -= value.byteLength) > 0, true),
      takeUntil(pause(clock, patience).pipe(endWith(undefined))),
      finalize(() => {
        reader.cancel().catch(() => undefined);
      }),
    );
  });
  return chunks.pipe(
    catchError(() => EMPTY),
    reduce(
      (bytes, { value }) =>
        value === undefined || bytes.length >= kept
          ? bytes
          : Buffer.concat([bytes, value.subarray(0, kept - bytes.length)]),
      Buffer.alloc(0),
    ),
    map((bytes) => bytes.toString('utf8')),
  );
}

/**
 * What a message shows of an answer: one line of printable text, in quotes. Services may repeat what they were sent, so secrets are
 * replaced.
 */
export function excerptOf(text: string, secrets: readonly string[]): string {
  const hidden = secrets.reduce((shown, secret) => shown.replaceAll(secret, '…'), text);
  const line = hidden.replace(/[\p{C}\p{Z}\ufffd]+/gu, ' ').trim();
  if (line === '') return '';
  const excerpt = line.slice(0, longestExcerpt).toWellFormed();
  return `"${excerpt}${line.length > longestExcerpt ? '…' : ''}"`;
}
