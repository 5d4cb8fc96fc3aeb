import { defer, map, Observable, of, Subscription } from 'rxjs';
import { MillraceError } from '../../errors.js';
import { isStoreError, StoreError } from '../errors.js';
import type { ObjectInfo, ObjectStore } from '../objectStore.js';
import type { BudgetShare, ReadBudget } from './budget.js';
import { Chunks } from './chunks.js';
import { planReader, stepReader, type Piece, type ReaderEffect, type ReaderEvent } from './policy.js';
import type { ReaderLimits, ReaderState } from './policy.js';

export interface ReaderOptions {
  readonly limits: ReaderLimits;
  readonly budget: ReadBudget;
  /** The result of a HEAD, which is then not made. */
  readonly info?: ObjectInfo;
  /** The ETag that the object must have. Default: the ETag when it is opened. */
  readonly ifMatch?: string;
  /** The expected start of the first read, and the end of reading. Default: the whole object. */
  readonly range?: { readonly start: number; readonly end?: number };
  /** Reads will be sequential, so read-ahead starts with the first one. Default false. */
  readonly sequential?: boolean;
}

interface Reading {
  readonly deliver: (chunks: readonly Uint8Array[]) => void;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * An object open for reading at any position; executes the plan of `policy.ts`. All reads are of the version that was opened:
 * each request is pinned to its ETag. Reads may overlap; each completes when its bytes have arrived.
 *
 * Errors: `PreconditionFailed` if the object was replaced since, `NotFound` if it was removed; `ReaderClosed`.
 */
export class SeekableReader {
  /** The end of reading: the object's size, or the end of the range. Bytes. */
  readonly end: number;
  readonly #store: ObjectStore;
  readonly #share: BudgetShare;
  readonly #requests = new Map<number, { readonly request: Subscription; taken: boolean }>();
  readonly #bodies = new Map<number, Chunks>();
  readonly #errors = new Map<number, unknown>();
  readonly #readings = new Map<number, Reading>();
  #state: ReaderState;
  #events: ReaderEvent[] = [];
  #stepping = false;
  #nextRead = 0;
  #position: number;
  #closed = false;

  private constructor(
    store: ObjectStore,
    /** The object when it was opened. */
    readonly info: ObjectInfo,
    { limits, budget, range = { start: 0 }, sequential = false }: ReaderOptions,
  ) {
    this.#store = store;
    this.end = Math.min(range.end ?? info.size, info.size);
    this.#position = range.start;
    const buffer = Math.min(limits.buffer, limits.fragment, budget.most);
    this.#state = planReader({ ...limits, buffer }, { bound: this.end, from: range.start, sequential });
    this.#share = budget.join(() => {
      this.#step({ type: 'squeeze' });
    });
  }

  /** Opens an object, with one HEAD unless `info` is given. Errors: `NotFound`, `PreconditionFailed`. */
  static open(store: ObjectStore, key: string, options: ReaderOptions): Observable<SeekableReader> {
    return defer(() => {
      checkRange(options.range);
      const { info, ifMatch } = options;
      const known =
        info === undefined || (ifMatch !== undefined && ifMatch !== info.etag)
          ? store.head(key, ifMatch === undefined ? {} : { ifMatch })
          : of(info);
      return known.pipe(map((found) => new SeekableReader(store, found, options)));
    });
  }

  /** The start of the next read without a position. Bytes. */
  get position(): number {
    return this.#position;
  }

  /** Moves the position. It may be beyond the end, where reads return 0 bytes. Throws `InvalidRequest` below zero. */
  seek(position: number): void {
    checkPosition(position);
    this.#position = position;
  }

  /**
   * Fills `into`, unless the object ends before; emits the number of bytes: 0 at or beyond the end. With `at`, the position is
   * unchanged.
   */
  read(into: Uint8Array, at?: number): Observable<number> {
    return defer(() => {
      const start = at ?? this.#position;
      checkPosition(start);
      const end = Math.max(start, Math.min(start + into.length, this.end));
      if (at === undefined) this.#position = end;
      let filled = 0;
      return this.#read(start, end, false, (chunks) => {
        for (const chunk of chunks) {
          into.set(chunk, filled);
          filled += chunk.length;
        }
      }).pipe(map(() => filled));
    });
  }

  /** At most `most` bytes from the position, as received; empty at the end. */
  pull(most: number): Observable<readonly Uint8Array[]> {
    return defer(() => {
      const start = this.#position;
      const end = Math.min(start + Math.max(1, most), this.end);
      let got: readonly Uint8Array[] = [];
      return this.#read(start, end, true, (chunks) => {
        got = chunks;
        this.#position = chunks.reduce((sum, chunk) => sum + chunk.length, start);
      }).pipe(map(() => got));
    });
  }

  /** Throws `ReaderClosed` if it is closed. */
  check(): void {
    if (this.#closed) throw closed(this.info.key);
  }

  /** Aborts all requests and frees all memory. Pending and later reads fail with `ReaderClosed`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#step({ type: 'close' });
    const readings = [...this.#readings.values()];
    this.#readings.clear();
    for (const reading of readings) reading.fail(closed(this.info.key));
  }

  #read(
    start: number,
    end: number,
    some: boolean,
    deliver: (chunks: readonly Uint8Array[]) => void,
  ): Observable<void> {
    return new Observable((out) => {
      if (this.#closed) {
        out.error(closed(this.info.key));
        return;
      }
      if (start >= end) {
        out.next();
        out.complete();
        return;
      }
      const id = this.#nextRead++;
      const done = (): void => {
        out.next();
        out.complete();
      };
      this.#readings.set(id, { deliver, done, fail: (error) => out.error(error) });
      out.add(() => {
        if (this.#readings.delete(id)) this.#step({ type: 'cancel', id });
      });
      this.#step({ type: 'read', id, start, end, some });
    });
  }

  /** Stores may answer synchronously, and consumers may read again synchronously, so events are queued. */
  #step(event: ReaderEvent): void {
    this.#events.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const { state, effects } = stepReader(this.#state, next, this.#share.room());
        this.#state = state;
        if (next.type === 'close') this.#share.leave();
        for (const effect of effects) this.#carryOut(effect);
      }
    } finally {
      this.#stepping = false;
    }
  }

  #carryOut(effect: ReaderEffect): void {
    switch (effect.type) {
      case 'get':
        this.#get(effect.piece, effect.ahead);
        return;
      case 'drop':
        this.#drop(effect.piece);
        return;
      case 'fail': {
        const reading = this.#readings.get(effect.want);
        this.#readings.delete(effect.want);
        reading?.fail(this.#errors.get(effect.piece.id));
        return;
      }
      case 'deliver': {
        const { want, piece, start, end, last } = effect;
        const reading = this.#readings.get(want);
        reading?.deliver(this.#bodies.get(piece.id)?.slice(start - piece.start, end - piece.start) ?? []);
        if (!last) return;
        this.#readings.delete(want);
        reading?.done();
      }
    }
  }

  #get(piece: Piece, ahead: boolean): void {
    const size = piece.end - piece.start;
    // The room may have become smaller since the plan was made.
    if (ahead ? !this.#share.take(size) : !this.#share.mayDemand(size)) {
      this.#step({ type: 'refused', piece: piece.id });
      return;
    }
    const entry = { request: new Subscription(), taken: ahead };
    this.#requests.set(piece.id, entry);
    if (ahead) {
      entry.request.add(this.#request(piece));
      return;
    }
    const granted = (): void => {
      entry.taken = true;
      entry.request.add(this.#request(piece));
    };
    entry.request.add(this.#share.demand(size, granted));
  }

  #request(piece: Piece): Subscription {
    const { key, etag } = this.info;
    const range = { start: piece.start, end: piece.end };
    return this.#store.get(key, { range, ifMatch: etag }).subscribe({
      next: ({ info, chunks }) => {
        const body = new Chunks(chunks);
        if (info.etag !== etag) this.#failed(piece, replaced(key));
        else if (body.length !== piece.end - piece.start)
          this.#failed(piece, shortRead(key, piece, body.length));
        else {
          this.#bodies.set(piece.id, body);
          this.#step({ type: 'arrived', piece: piece.id });
        }
      },
      error: (error: unknown) => {
        this.#failed(piece, isStoreError(error, 'PreconditionFailed') ? replaced(key, error) : error);
      },
    });
  }

  #failed(piece: Piece, error: unknown): void {
    this.#errors.set(piece.id, error);
    this.#step({ type: 'failed', piece: piece.id });
  }

  #drop({ id, start, end }: Piece): void {
    const entry = this.#requests.get(id);
    this.#requests.delete(id);
    this.#bodies.delete(id);
    this.#errors.delete(id);
    entry?.request.unsubscribe();
    if (entry?.taken === true) this.#share.give(end - start);
  }
}

function checkPosition(position: number): void {
  if (Number.isSafeInteger(position) && position >= 0) return;
  throw new StoreError(
    'InvalidRequest',
    `${position} is not a position: it must be a whole number from 0 on.`,
  );
}

/** Throws `InvalidRequest` for an invalid range. */
function checkRange(range: ReaderOptions['range']): void {
  if (range === undefined) return;
  checkPosition(range.start);
  if (range.end === undefined) return;
  checkPosition(range.end);
  if (range.end < range.start)
    throw new StoreError('InvalidRequest', `The range ${range.start} to ${range.end} is not a range.`);
}

const closed = (key: string): MillraceError =>
  new MillraceError('ReaderClosed', `The reader of ${key} is closed. Open the object again.`);

const replaced = (key: string, cause?: unknown): StoreError =>
  new StoreError(
    'PreconditionFailed',
    `${key} was replaced while it was read: what was read so far is of the old version. Open it again.`,
    { status: 412, cause },
  );

const shortRead = (key: string, { start, end }: Piece, bytes: number): StoreError =>
  new StoreError(
    'Integrity',
    `The store gave ${bytes} bytes of ${key} instead of ${end - start}, from byte ${start}. Read again.`,
  );
