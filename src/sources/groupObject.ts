import { concatMap, from, mergeMap, tap, toArray, type Observable, type Subscription } from 'rxjs';
import type { GroupRange, GroupDecoder, GroupReader } from '../formats/groupReader.js';
import { StoreError } from '../store/errors.js';
import type { ObjectBody } from '../store/objectStore.js';
import type { FileObject } from './discovery.js';
import { stateOf, type ObjectPosition } from './filesPosition.js';
import type { FragmentLimits } from './fragmentBudget.js';
import type { MalformedRecords } from './malformedRecords.js';
import type { RecordPlace } from './place.js';
import type { SourceOutput } from './source.js';

export interface GroupObjectOptions<T> {
  readonly object: FileObject;
  readonly format: GroupReader<T>;
  readonly malformed: MalformedRecords;
  /** Ranges are fetched in requests of at most `fragment` bytes; the `window` is divided among all objects. */
  readonly limits: FragmentLimits;
  /** The approximate bytes that are passed on together. */
  readonly block: number;
  /** Requests a range, of the version that was listed. */
  readonly get: (range: GroupRange) => Observable<ObjectBody>;
  readonly ready: () => void;
  readonly fail: (error: unknown) => void;
}

/** Rows that pass at once, however small. */
const mostRows = 1024;

/**
 * Reads one object in the ranges that its decoder wants (`groupReader.ts`): call `pass`, or `feed` if it has none.
 */
export class GroupObject<T> {
  readonly object: FileObject;
  readonly #options: GroupObjectOptions<T>;
  readonly #decoder: GroupDecoder<T>;
  #loading: Subscription | undefined;
  /** What is being fetched. */
  #wanted: readonly GroupRange[] = [];
  #over = false;
  #place: RecordPlace | undefined;

  constructor(options: GroupObjectOptions<T>) {
    const { object, format } = options;
    this.object = object;
    this.#options = options;
    const { offset, state } = object.resume ?? { offset: 0, state: undefined };
    this.#decoder = format.groups({ object: object.uri, size: object.size, offset, state });
  }

  /** Bytes in memory: of the ranges that are being fetched, and of the group that is decoded. */
  get held(): number {
    return this.#wanted.reduce((sum, { start, end }) => sum + end - start, this.#decoder.held);
  }

  get atEnd(): boolean {
    return this.#over;
  }

  get stored(): number {
    return this.#over ? this.object.size : this.#decoder.offset;
  }

  /** Whether nothing of the object has been passed on. */
  get unread(): boolean {
    return this.#decoder.records === 0 && (this.object.resume?.line ?? 0) === 0;
  }

  /** The position after the last rows. Errors: `BadDecoderState`. */
  get position(): ObjectPosition {
    const { key, etag, uri } = this.object;
    const { format } = this.#options;
    // A decoder is at its first group from when it asks for it.
    if (this.unread) return { key, etag, offset: 0, line: 0, format: format.name };
    const { offset, records } = this.#decoder;
    const at = { key, etag, offset, line: records, format: format.name };
    return { ...at, ...stateOf(format, this.#decoder, uri) };
  }

  get place(): RecordPlace | undefined {
    return this.#place;
  }

  /** The ranges that are being fetched. */
  get waitsFor(): string | undefined {
    const [first] = this.#wanted;
    return first && `bytes ${first.start} to ${first.end} of ${this.object.uri}`;
  }

  /** Requests the next ranges. Returns `false` until they are decoded. */
  feed(): boolean {
    if (this.#loading !== undefined) return false;
    const wanted = this.#decoder.wants();
    if (wanted.length === 0) {
      this.#over = true;
      return true;
    }
    this.#load(wanted);
    return false;
  }

  /**
   * Passes some records on, and returns the bytes that they count; `undefined` when the next ranges are needed. Errors:
   * `MalformedRecord`, and errors of the decoder and the output.
   */
  pass(out: SourceOutput<T>): number | undefined {
    const decoder = this.#decoder;
    const { left, recordBytes } = decoder;
    if (left === 0 || this.#loading !== undefined) return undefined;
    const { uri } = this.object;
    const count = Math.max(1, Math.min(left, mostRows, Math.floor(this.#options.block / recordBytes)));
    for (let i = 0; i < count; i++) {
      this.#place = { object: uri, offset: decoder.offset, line: decoder.records + 1 };
      decoder.decode(
        (record) => out.record(record),
        (bad) => this.#options.malformed.take(uri, bad, out),
      );
    }
    this.#place = undefined;
    return count * recordBytes;
  }

  close(): void {
    this.#loading?.unsubscribe();
  }

  #load(wanted: readonly GroupRange[]): void {
    this.#wanted = wanted;
    const { limits, ready, fail } = this.#options;
    // Each range is one buffer, which its requests fill. They may be answered in any order.
    const parts = wanted.map(({ start, end }) => new Uint8Array(end - start));
    const requests = wanted.flatMap(({ start, end }, i) => {
      const pieces: { part: number; at: number; range: GroupRange }[] = [];
      for (let from = start; from < end; from += limits.fragment)
        pieces.push({
          part: i,
          at: from - start,
          range: { start: from, end: Math.min(end, from + limits.fragment) },
        });
      return pieces;
    });
    const share = Math.ceil(limits.window / (limits.objects ?? 1));
    const most = Math.min(share, limits.requests ?? Infinity);
    // Decoding is asynchronous, also where the store is not: nothing may be ready inside of a poll.
    this.#loading = from(requests)
      .pipe(
        mergeMap(
          ({ part, at, range }) =>
            this.#options.get(range).pipe(tap((body) => this.#fill(parts[part], at, range, body))),
          most,
        ),
        toArray(),
        concatMap(async () => {
          await this.#decoder.take(parts);
        }),
      )
      .subscribe({
        next: () => {
          this.#loading = undefined;
          this.#wanted = [];
          ready();
        },
        error: fail,
      });
  }

  #fill(part: Uint8Array | undefined, at: number, { start, end }: GroupRange, { chunks }: ObjectBody): void {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (bytes !== end - start)
      throw new StoreError(
        'Integrity',
        `The store returned ${bytes} bytes of ${this.object.uri} instead of ${end - start} from byte ${start}. Try again.`,
      );
    for (const chunk of chunks) {
      part?.set(chunk, at);
      at += chunk.length;
    }
  }
}
