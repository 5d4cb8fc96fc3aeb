import { catchError, endWith, from, ignoreElements, map, mergeMap, of, type Observable } from 'rxjs';
import { MillraceError } from '../../errors.js';
import { isStoreError } from '../errors.js';
import { sha256 } from '../helpers.js';
import type { CheckpointData } from '../services.js';

/** Some bytes of a file's tail, in a journal object. */
export interface Range {
  /** The journal's name, where journals are: in the job's checkpoint directory, or in a writer's folder of tails. */
  readonly journal: string;
  /** Where in the journal. Bytes. */
  readonly offset: number;
  readonly length: number;
  readonly sha256: string;
}

/** The end of a file: the bytes that are in no part yet. */
export interface Tail {
  readonly ranges: readonly Range[];
  /** The bytes after the ranges, in the manifest itself. */
  readonly inline: Buffer | undefined;
}

/** Where journals are. */
export type JournalPlace = Pick<CheckpointData, 'store' | 'key'>;

/** In bytes, more than the largest part of the largest file. A tail is read into memory. */
export const largestTail = 4 * 2 ** 30 - 1;

export function tailLength(tail: Tail | undefined): number {
  if (tail === undefined) return 0;
  return tail.ranges.reduce((sum, range) => sum + range.length, tail.inline?.length ?? 0);
}

/** Reads ranges into `target`, one after the other, and emits it. Errors: `LostJournal`, `CorruptJournal`. */
export function readRanges(
  ranges: readonly Range[],
  place: JournalPlace,
  target: Buffer,
): Observable<Buffer> {
  let end = 0;
  const places = ranges.map((range) => ({ range, at: (end += range.length) - range.length }));
  return from(places).pipe(
    mergeMap(
      ({ range, at }) =>
        place.store
          .get(place.key(range.journal), {
            range: { start: range.offset, end: range.offset + range.length },
          })
          .pipe(
            map(({ chunks }) => {
              fill(target, at, chunks, range, place);
            }),
            catchError((error: unknown) => {
              throw isStoreError(error, 'NotFound') ? lost(range, place, error) : error;
            }),
          ),
      4,
    ),
    ignoreElements(),
    endWith(target),
  );
}

export function readTail(tail: Tail, place: JournalPlace): Observable<Buffer> {
  const target = Buffer.allocUnsafeSlow(tailLength(tail));
  const inline = tail.inline;
  inline?.copy(target, target.length - inline.length);
  return tail.ranges.length === 0 ? of(target) : readRanges(tail.ranges, place, target);
}

function fill(
  target: Buffer,
  start: number,
  chunks: readonly Uint8Array[],
  range: Range,
  place: JournalPlace,
): void {
  let at = start;
  for (const chunk of chunks) {
    target.set(chunk.subarray(0, start + range.length - at), at);
    at += chunk.length;
  }
  if (at !== start + range.length || sha256(target.subarray(start, at)) !== range.sha256) {
    throw new MillraceError(
      'CorruptJournal',
      `${nameOf(range, place)}: bytes ${range.offset} to ${range.offset + range.length} are not those that were written. Restore the object from a version or backup of the bucket.`,
    );
  }
}

function lost(range: Range, place: JournalPlace, cause: unknown): MillraceError {
  return new MillraceError(
    'LostJournal',
    `${nameOf(range, place)} is gone, although a checkpoint refers to it. Restore the object from a backup, and exempt its folder from lifecycle rules that delete.`,
    { cause },
  );
}

function nameOf(range: Range, place: JournalPlace): string {
  return `${place.store.uri}/${place.key(range.journal)}`;
}
