/**
 * One attempt's reading of a `files` source: discovery → fetcher → decompressor → slicer → decoder, pulled by `poll`.
 *
 * Only whole records leave, so the position after the last of them is exact after every poll. Memory is bounded: the
 * fetcher by (`window` + 1) × `fragment`, the decompressor by its own look-ahead, the slicer by the longest record. All of
 * it counts towards one share of the memory of the process: the more the others hold, the less the fetcher reads ahead.
 */
import { catchError, tap, throwError, type Observable } from 'rxjs';
import type { CodecName } from '../formats/codec.js';
import { readsGroups, type GroupRange, type GroupReader } from '../formats/groupReader.js';
import type { Reader } from '../formats/reader.js';
import { memory, type Json } from '../flow/index.js';
import { StoreError } from '../store/errors.js';
import type { ObjectBody, ObjectInfo } from '../store/objectStore.js';
import type { Links } from '../store/links.js';
import type { SourceProgress } from '../store/observe/sourceProgress.js';
import { stores } from '../store/services.js';
import type { Discover, Discovery, FileObject } from './discovery.js';
import { inputError } from './errors.js';
import { FilesProgress } from './filesProgress.js';
import { Fetcher } from './fetcher.js';
import { checkFormat, decodePosition, encodePosition, type ObjectPosition } from './filesPosition.js';
import type { FragmentLimits } from './fragments.js';
import { GroupObject } from './groupObject.js';
import { MalformedRecords } from './malformedRecords.js';
import { ObjectReader } from './objectReader.js';
import type { RecordPlace } from './place.js';
import type { SourceContext, SourceOutput, SourceReader } from './source.js';

export interface FilesSettings<T> {
  readonly uris: readonly string[];
  readonly format: Reader<T> | GroupReader<T>;
  readonly discover: Discover;
  readonly limits: FragmentLimits;
  readonly onMalformed: 'fail' | 'skip' | 'deadLetter';
  readonly hidden: boolean;
  readonly maxLineBytes: number;
  readonly maxExpansion: number;
  readonly compression: CodecName | 'auto';
  readonly unreadable: 'fail' | 'skip';
  readonly links: Links;
  readonly allowEmpty: boolean;
  /** The maximum number of bytes that one poll passes on, not counting its last record. */
  readonly slice: number;
}

/** The maximum number of objects finished in one poll, so that barriers and I/O get their turn. */
const objectsPerPoll = 64;

export class FilesReader<T> implements SourceReader<T> {
  readonly #settings: FilesSettings<T>;
  readonly #context: SourceContext;
  readonly #discovery: Discovery;
  readonly #fetcher: Fetcher<FileObject>;
  readonly #malformed: MalformedRecords;
  readonly #progress: FilesProgress;
  /** Bytes of a block, a quarter of a slice. */
  readonly #block: number;
  /** The object that is being read. */
  #current: ObjectReader<T> | GroupObject<T> | undefined;
  /** The object to resume in, until it is open. */
  #resuming: ObjectPosition | undefined;
  /** Objects that no longer exist, and that the source continues without. */
  readonly #lost = new Set<FileObject>();
  #bytes = 0;
  #polling = false;
  #error: { readonly error: unknown } | undefined;
  #closed = false;

  constructor(settings: FilesSettings<T>, context: SourceContext) {
    const { id, attempt } = context;
    this.#settings = settings;
    this.#context = context;
    this.#block = Math.ceil(settings.slice / 4);
    const restored = context.position === undefined ? undefined : decodePosition(id, context.position);
    this.#resuming = restored?.object;
    if (this.#resuming !== undefined) checkFormat(id, this.#resuming, settings.format);
    this.#malformed = new MalformedRecords(id, settings.onMalformed, attempt, restored?.skipped ?? 0);
    const progress = (this.#progress = new FilesProgress(restored));
    const fail = (error: unknown): void => this.#fail(error);
    this.#discovery = settings.discover({
      ...settings,
      id,
      stores: attempt.use(stores),
      restored,
      clock: attempt.clock,
      random: attempt.random,
      charge: () => attempt.use(memory).charge(),
      givenUp: () => {
        this.#resuming = undefined;
        progress.givenUp();
      },
      requested: progress.requested,
      progressed: () => this.#ready(),
      report: (event) => attempt.report(event),
      fail,
    });
    this.#fetcher = new Fetcher<FileObject>({
      limits: settings.limits,
      memory: (use) => attempt.use(memory).share({ ...use, who: `source '${id}' (read-ahead)` }),
      nextObject: (answer) =>
        this.#discovery.next((object) => {
          progress.found(object);
          answer(object);
        }),
      unread: readsGroups(settings.format),
      get: ({ object, ...range }) => getRange(object, range),
      ready: () => this.#ready(),
      fail: (error, object) => this.#failObject(error, object),
    });
    // A synchronous answer must not call back before the pump has the reader.
    this.#polling = true;
    this.#fetcher.start();
    this.#polling = false;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes in memory: fetched or being fetched, decompressed ahead, and of the record in progress. */
  get held(): number {
    return this.#fetcher.held + (this.#current?.held ?? 0);
  }

  poll(out: SourceOutput<T>): 'more' | 'wait' | 'end' {
    this.#polling = true;
    try {
      this.#dropLost();
      const result = this.#poll(out);
      if (result === 'wait' && this.#lost.size > 0) return 'more';
      // Bytes that arrived before the failure are passed on first.
      if (result === 'wait' && this.#error !== undefined) throw this.#error.error;
      return result;
    } finally {
      this.#polling = false;
      this.#malformed.report();
    }
  }

  position(): Json {
    const object = this.#current === undefined ? this.#resuming : this.#current.position;
    return encodePosition({
      discovery: this.#discovery.position(),
      ...(object === undefined ? {} : { object }),
      skipped: this.#malformed.skipped,
      read: this.#progress.read,
    });
  }

  progress(): SourceProgress {
    return this.#progress.now(this.#discovery, this.#current === undefined ? [] : [this.#current]);
  }

  waitsFor(): string | undefined {
    const { awaited } = this.#fetcher;
    if (awaited !== undefined) return `bytes ${awaited.start} to ${awaited.end} of ${awaited.object.uri}`;
    return this.#current === undefined ? this.#discovery.waitsFor : this.#current.waitsFor;
  }

  place(): RecordPlace | undefined {
    return this.#current?.place;
  }

  close(): void {
    this.#closed = true;
    this.#discovery.close();
    this.#fetcher.close();
    this.#current?.close();
    this.#current = undefined;
  }

  #poll(out: SourceOutput<T>): 'more' | 'wait' | 'end' {
    const start = this.#bytes;
    const limit = start + this.#settings.slice - this.#block;
    for (let finished = 0; !this.#closed;) {
      const current = (this.#current ??= this.#openNext());
      if (current === undefined) return this.#fetcher.over ? this.#end() : 'wait';
      if (current.atEnd) {
        this.#finish(current);
        if (++finished >= objectsPerPoll) return 'more';
        continue;
      }
      if (this.#bytes > start && this.#bytes > limit) return 'more';
      const passed = current.pass(out);
      if (passed !== undefined) this.#bytes += passed;
      else {
        // Before the fragment is given back that it was copied from.
        this.#count();
        if (!current.feed()) return 'wait';
      }
    }
    return 'wait';
  }

  /** What is held after the fetcher takes the place of read-ahead. */
  #count(): void {
    if (!this.#closed) this.#fetcher.alsoHeld(this.#current?.held ?? 0);
  }

  #openNext(): ObjectReader<T> | GroupObject<T> | undefined {
    const object = this.#fetcher.object;
    if (object === undefined) return undefined;
    const { format, limits, maxLineBytes, maxExpansion, compression } = this.#settings;
    const common = { object, malformed: this.#malformed, block: this.#block, ready: () => this.#ready() };
    const reader = readsGroups(format)
      ? new GroupObject({
          ...common,
          format,
          limits,
          get: (range) => getRange(object, range),
          fail: (error) => this.#failObject(error, object),
        })
      : new ObjectReader({
          ...common,
          id: this.#context.id,
          fetcher: this.#fetcher,
          compression,
          format,
          maxLineBytes,
          maxExpansion,
          fail: (error) => this.#fail(error),
        });
    this.#resuming = undefined;
    this.#discovery.opened(object);
    return reader;
  }

  #finish(reader: ObjectReader<T> | GroupObject<T>): void {
    reader.close();
    this.#progress.finished(reader.object);
    this.#current = undefined;
    this.#count();
    this.#fetcher.next();
  }

  #end(): 'end' {
    this.#discovery.opened(undefined);
    return 'end';
  }

  /** Not in the middle of a poll, which may be reading the object. */
  #dropLost(): void {
    for (const object of this.#lost) {
      this.#progress.lost(object);
      if (this.#current?.object === object) {
        this.#current.close();
        this.#current = undefined;
        this.#count();
      }
      this.#fetcher.drop(object);
    }
    this.#lost.clear();
  }

  #failObject(error: unknown, object: FileObject): void {
    if (this.#lost.has(object)) return;
    if (this.#discovery.lost?.(object, error) !== true) {
      this.#fail(error);
      return;
    }
    this.#lost.add(object);
    this.#ready();
  }

  #ready(): void {
    if (!this.#polling && !this.#closed) this.#context.ready();
  }

  /** Thrown by the poll that gets as far as the failure. */
  #fail(error: unknown): void {
    this.#error ??= { error };
    this.#ready();
  }
}

/** Requests a range of the version that was listed. Errors: `ObjectChanged`, `ObjectVanished`, `Integrity`, and those of the store. */
function getRange(object: FileObject, { start, end }: GroupRange): Observable<ObjectBody> {
  return object.store.get(object.key, { range: { start, end }, ifMatch: object.etag }).pipe(
    tap(({ info }) => checkVersion(object, info)),
    catchError((error: unknown) => throwError(() => inputError(object.uri, error))),
  );
}

/** Checks that the object is the version that was listed. Errors: `PreconditionFailed`, `Integrity`. */
function checkVersion({ uri, etag, size }: FileObject, info: ObjectInfo): void {
  if (info.etag !== etag)
    throw new StoreError('PreconditionFailed', `${uri} has another ETag than in its listing.`);
  if (info.size === size) return;
  throw new StoreError('Integrity', `${uri} has ${info.size} bytes, but ${size} in its listing. Try again.`);
}
