import { AsyncSubject, concatMap, defer, Subscription, type Observable } from 'rxjs';
import type { GroupRange, GroupDecoder, GroupReader } from '../formats/groupReader.js';
import type { ObjectBody } from '../store/objectStore.js';
import type { BlockSize } from './blockSize.js';
import type { FileObject } from './discovery.js';
import { stateOf, type ObjectPosition } from './filesPosition.js';
import type { FragmentLimits } from './fragmentBudget.js';
import type { Grant, GroupBudget } from './groupBudget.js';
import { bytesIn, fetchRanges } from './groupRanges.js';
import type { MalformedRecords } from './malformedRecords.js';
import type { RecordPlace } from './place.js';
import type { SourceOutput } from './source.js';

export interface GroupObjectOptions<T> {
  readonly object: FileObject;
  readonly format: GroupReader<T>;
  readonly malformed: MalformedRecords;
  /** Ranges are fetched in requests of at most `fragment` bytes; the `window` is divided among all objects. */
  readonly limits: FragmentLimits;
  /** The memory for the groups of all objects. */
  readonly budget: GroupBudget;
  /** The approximate bytes that are passed on together. */
  readonly blockSize: BlockSize;
  /** Requests a range, of the version that was listed. */
  readonly get: (range: GroupRange) => Observable<ObjectBody>;
  readonly ready: () => void;
  readonly fail: (error: unknown) => void;
}

/** Rows that pass at once, however small. */
const mostRows = 1024;

/** The ranges of the next group, which are fetched while this one is passed on. */
interface Ahead {
  readonly grant: Grant;
  /** Emits them when they are here, or fails when the group is to be read. */
  readonly parts: AsyncSubject<readonly Uint8Array[]>;
  readonly fetching: Subscription;
}

/**
 * Reads one object in the ranges that its decoder wants (`groupReader.ts`): call `pass`, or `feed` if it has none.
 *
 * 1. `feed` gives back the group that is used up, and asks for the memory of the next one (`groupBudget.ts`).
 * 2. Its ranges are fetched and decoded, unless they were fetched ahead: then they are only decoded.
 * 3. As soon as a group is decoded, the ranges of the next one are asked for, and fetched while the rows of this one pass. An
 *    error of that fetch is reported when the group is to be read.
 */
export class GroupObject<T> {
  readonly object: FileObject;
  readonly #options: GroupObjectOptions<T>;
  readonly #decoder: GroupDecoder<T>;
  readonly #fetch: (ranges: readonly GroupRange[]) => Observable<readonly Uint8Array[]>;
  #loading: Subscription | undefined;
  /** What is being fetched to be read. */
  #wanted: readonly GroupRange[] = [];
  /** The memory of the group that is read. */
  #grant: Grant | undefined;
  #ahead: Ahead | undefined;
  #over = false;
  #place: RecordPlace | undefined;

  constructor(options: GroupObjectOptions<T>) {
    const { object, format } = options;
    this.object = object;
    this.#options = options;
    const { offset, state } = object.resume ?? { offset: 0, state: undefined };
    this.#decoder = format.groups({ object: object.uri, size: object.size, offset, state });
    const { window, fragment, objects = 1, requests = Infinity } = options.limits;
    const most = Math.min(Math.ceil(window / objects), requests);
    const { get } = options;
    this.#fetch = (ranges) =>
      defer(() => fetchRanges(ranges, { uri: object.uri, get, fragment, requests: most }));
  }

  /** Bytes in memory: of the group that is decoded, and of the ranges that are fetched. */
  get held(): number {
    return (this.#grant?.bytes ?? 0) + (this.#ahead?.grant.bytes ?? 0);
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
    this.#grant?.leave();
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
    const count = Math.max(
      1,
      Math.min(left, mostRows, Math.floor(this.#options.blockSize.largest / recordBytes)),
    );
    let passed = 0;
    for (; passed < count && !(passed > 0 && out.turnOver); passed++) {
      this.#place = { object: uri, offset: decoder.offset, line: decoder.records + 1 };
      decoder.decode(
        (record) => out.record(record),
        (bad) => this.#options.malformed.take(uri, bad, out),
      );
    }
    this.#place = undefined;
    return passed * recordBytes;
  }

  /** Its footer says what an object has. */
  end(): void {
    return;
  }

  close(): void {
    this.#loading?.unsubscribe();
    this.#grant?.leave();
    this.#dropAhead();
  }

  #load(wanted: readonly GroupRange[]): void {
    this.#wanted = wanted;
    const { budget, ready, fail } = this.#options;
    const ahead = this.#ahead?.grant.bytes === 0 ? undefined : this.#ahead;
    if (ahead === undefined) this.#dropAhead();
    const fetched = ahead === undefined ? bytesIn(wanted) : 0;
    const parts = ahead?.parts ?? this.#fetch(wanted);
    const loading = (this.#loading = new Subscription());
    this.#grant = budget.read(this.#decoder.held + fetched, () => {
      // Decoding is asynchronous even where the store is not: nothing may be ready inside of a poll.
      const decoded = parts.pipe(concatMap(async (all) => this.#decoder.take(all)));
      loading.add(
        decoded.subscribe({
          next: () => {
            this.#loading = undefined;
            this.#wanted = [];
            this.#dropAhead();
            this.#grant?.shrink(this.#decoder.held);
            this.#readAhead();
            ready();
          },
          error: fail,
        }),
      );
    });
  }

  /** Fetches what is wanted next, when there is memory for it. */
  #readAhead(): void {
    const ranges = this.#decoder.ahead?.() ?? [];
    if (ranges.length === 0) return;
    const parts = new AsyncSubject<readonly Uint8Array[]>();
    const fetching = new Subscription();
    const grant = this.#options.budget.ahead(bytesIn(ranges), () => {
      fetching.add(this.#fetch(ranges).subscribe(parts));
    });
    this.#ahead = { grant, parts, fetching };
  }

  #dropAhead(): void {
    this.#ahead?.fetching.unsubscribe();
    this.#ahead?.grant.leave();
    this.#ahead = undefined;
  }
}
