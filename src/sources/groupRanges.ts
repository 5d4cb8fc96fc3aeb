import { from, map, mergeMap, tap, toArray, type Observable } from 'rxjs';
import type { GroupRange } from '../formats/groupReader.js';
import { StoreError } from '../store/errors.js';
import type { ObjectBody } from '../store/objectStore.js';

export interface RangesOptions {
  /** The URI of the object. */
  readonly uri: string;
  readonly get: (range: GroupRange) => Observable<ObjectBody>;
  /** The maximum number of bytes of a request. */
  readonly fragment: number;
  /** The maximum number of requests at the same time. */
  readonly requests: number;
}

/** A request: which range it is of, and where its bytes go in that. */
interface Piece {
  readonly part: number;
  readonly at: number;
  readonly range: GroupRange;
}

export const bytesIn = (ranges: readonly GroupRange[]): number =>
  ranges.reduce((sum, { start, end }) => sum + end - start, 0);

/** Fetches ranges of an object, and emits their bytes, once. Each is one buffer, which its requests fill in any order. */
export function fetchRanges(
  ranges: readonly GroupRange[],
  { uri, get, fragment, requests }: RangesOptions,
): Observable<readonly Uint8Array[]> {
  const parts = ranges.map(({ start, end }) => new Uint8Array(end - start));
  const pieces = ranges.flatMap(({ start, end }, part) => {
    const found: Piece[] = [];
    for (let at = start; at < end; at += fragment)
      found.push({ part, at: at - start, range: { start: at, end: Math.min(end, at + fragment) } });
    return found;
  });
  return from(pieces).pipe(
    mergeMap(
      (piece) => get(piece.range).pipe(tap((body) => fill(uri, parts[piece.part], piece, body))),
      requests,
    ),
    toArray(),
    map(() => parts),
  );
}

function fill(uri: string, part: Uint8Array | undefined, { at, range }: Piece, { chunks }: ObjectBody): void {
  const { start, end } = range;
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (bytes !== end - start)
    throw new StoreError(
      'Integrity',
      `The store returned ${bytes} bytes of ${uri} instead of ${end - start} from byte ${start}. Try again.`,
    );
  let to = at;
  for (const chunk of chunks) {
    part?.set(chunk, to);
    to += chunk.length;
  }
}
