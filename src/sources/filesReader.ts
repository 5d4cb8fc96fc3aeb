/**
 * One attempt's reading of a `files` source: listing → fetcher → decoder → slicer → format, pulled by `poll`.
 *
 * Only whole records leave, so the position behind the last of them is exact after every poll. What is held is bounded:
 * the fetcher by (`window` + 1) × `fragment`, the decoder by its own look-ahead, the slicer by the longest record.
 */
import { catchError, Subscription, tap, throwError, type Observable } from 'rxjs';
import type { CodecName } from '../formats/codec.js';
import type { Malformed, Reader } from '../formats/format.js';
import { memory, type Json } from '../flow/index.js';
import { hideUserInfo } from '../path/index.js';
import { StoreError } from '../store/errors.js';
import type { ObjectInfo } from '../store/objectStore.js';
import type { Links } from '../store/links.js';
import { stores } from '../store/services.js';
import { MalformedRecord } from './errors.js';
import type { InputSkippedEvent, NotReadEvent, SkippedEvent } from './events.js';
import { Fetcher } from './fetcher.js';
import { decodePosition, encodePosition, type FilesPosition, type ObjectPosition } from './filesPosition.js';
import type { FragmentLimits } from './fragments.js';
import { laterObjects, type LaterObjects } from './laterObjects.js';
import { inputError, Listing, type FileObject } from './listing.js';
import { ObjectReader } from './objectReader.js';
import { locate, type RecordPlace } from './place.js';
import type { Piece } from './slicer.js';
import type { SourceContext, SourceOutput, SourceReader } from './source.js';

export interface FilesSettings<T> {
  readonly uris: readonly string[];
  readonly format: Reader<T>;
  readonly limits: FragmentLimits;
  readonly onMalformed: 'fail' | 'skip' | 'deadLetter';
  readonly hidden: boolean;
  readonly maxLineBytes: number;
  readonly compression: CodecName | 'auto';
  readonly unreadable: 'fail' | 'skip';
  readonly links: Links;
  readonly allowEmpty: boolean;
  /** Bytes handed over by one poll, at most, but for the last record of it. */
  readonly slice: number;
}

/** Objects finished in one poll, however small: barriers and I/O get their turn. */
const objectsPerPoll = 64;
/** Characters of a malformed record that an error shows. */
const excerptLength = 200;

export class FilesReader<T> implements SourceReader<T> {
  readonly #settings: FilesSettings<T>;
  readonly #context: SourceContext;
  /** The URIs as positions hold them. */
  readonly #uris: readonly string[];
  readonly #listing: Listing;
  readonly #fetcher: Fetcher<FileObject>;
  /** Blocks of a quarter slice: as much as one decoding takes best. */
  readonly #block: number;
  /** The object that is being read. */
  #current: ObjectReader | undefined;
  #root: number;
  #after: string | undefined;
  /** The object to resume in, until it is open. */
  #resuming: ObjectPosition | undefined;
  /** The last key of the last URI, when all is read. */
  #last: string | undefined;
  /** Looks for objects that were added after the last one read. */
  #looking = Subscription.EMPTY;
  #skipped: number;
  #lastSkipped:
    | { readonly object: string; readonly offset: number; readonly line: number; readonly reason: string }
    | undefined;
  #bytes = 0;
  /** Finds the record that is being handed over. */
  #place: (() => RecordPlace) | undefined;
  #polling = false;
  #error: { readonly error: unknown } | undefined;
  #closed = false;

  constructor(settings: FilesSettings<T>, context: SourceContext) {
    this.#settings = settings;
    this.#context = context;
    this.#block = Math.ceil(settings.slice / 4);
    this.#uris = settings.uris.map(hideUserInfo);
    const from: FilesPosition =
      context.position === undefined
        ? { root: 0, skipped: 0 }
        : decodePosition(context.id, context.position, this.#uris);
    this.#root = from.root;
    this.#after = from.after;
    this.#resuming = from.object;
    this.#skipped = from.skipped;
    this.#last = from.last;
    const fail = (error: unknown): void => this.#fail(error);
    const skipped = (object: string, { message }: Error): void =>
      context.attempt.report({
        type: 'input-skipped',
        operator: context.id,
        object,
        reason: message,
      } satisfies InputSkippedEvent);
    const listing = { ...settings, id: context.id, stores: context.attempt.use(stores), fail, skipped };
    this.#listing = new Listing({ ...listing, from });
    this.#fetcher = new Fetcher<FileObject>({
      limits: settings.limits,
      memory: (use) =>
        context.attempt.use(memory).share({ ...use, who: `source '${context.id}' (read-ahead)` }),
      nextObject: (answer) => this.#listing.next(answer),
      get: ({ object, start, end }) =>
        object.store.get(object.key, { range: { start, end }, ifMatch: object.etag }).pipe(
          tap(({ info }) => checkVersion(object, info)),
          catchError((error: unknown) => throwError(() => inputError(object.uri, error))),
        ),
      ready: () => this.#ready(),
      fail,
    });
    // An answer at once is no reason to call back before the pump has the reader.
    this.#polling = true;
    this.#fetcher.start();
    if (from.last !== undefined) this.#lookBehind(laterObjects(listing, from.last));
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
      const result = this.#poll(out);
      // What has come before the failure is handed over first.
      if (result === 'wait' && this.#error !== undefined) throw this.#error.error;
      return result;
    } finally {
      this.#polling = false;
      this.#reportSkipped();
    }
  }

  position(): Json {
    const current = this.#current;
    const uri = this.#uris[this.#root];
    const object = current === undefined ? this.#resuming : current.position;
    return encodePosition({
      root: this.#root,
      ...(uri === undefined ? {} : { uri }),
      ...(object === undefined && this.#after !== undefined ? { after: this.#after } : {}),
      ...(object === undefined ? {} : { object }),
      ...(this.#last === undefined ? {} : { last: this.#last }),
      skipped: this.#skipped,
    });
  }

  waitsFor(): string | undefined {
    const { awaited } = this.#fetcher;
    if (awaited !== undefined) return `bytes ${awaited.start} to ${awaited.end} of ${awaited.object.uri}`;
    if (!this.#looking.closed) return `the listing of ${this.#uris.at(-1) ?? ''}`;
    return this.#current === undefined ? this.#listing.waitsFor : undefined;
  }

  place(): RecordPlace | undefined {
    return this.#place?.();
  }

  close(): void {
    this.#closed = true;
    this.#looking.unsubscribe();
    this.#listing.close();
    this.#fetcher.close();
    this.#current?.close();
    this.#current = undefined;
  }

  #poll(out: SourceOutput<T>): 'more' | 'wait' | 'end' {
    const start = this.#bytes;
    const limit = start + this.#settings.slice - this.#block;
    for (let finished = 0; !this.#closed;) {
      const current = (this.#current ??= this.#openNext());
      if (current === undefined) return this.#fetcher.over && this.#looking.closed ? this.#end() : 'wait';
      if (current.atEnd) {
        this.#finish(current);
        if (++finished >= objectsPerPoll) return 'more';
        continue;
      }
      if (this.#bytes > start && this.#bytes > limit) return 'more';
      const piece = current.next();
      if (piece !== undefined) this.#hand(current, piece, out);
      else if (!current.feed()) return 'wait';
    }
    return 'wait';
  }

  #openNext(): ObjectReader | undefined {
    const object = this.#fetcher.object;
    if (object === undefined) return undefined;
    const { format, maxLineBytes, compression } = this.#settings;
    const reader = new ObjectReader({
      id: this.#context.id,
      object,
      fetcher: this.#fetcher,
      compression,
      text: format.text ?? false,
      cutter: format.cutter(),
      maxLineBytes,
      block: this.#block,
      ready: () => this.#ready(),
      fail: (error) => this.#fail(error),
    });
    this.#root = object.root;
    this.#after = undefined;
    this.#resuming = undefined;
    return reader;
  }

  #finish(reader: ObjectReader): void {
    reader.close();
    this.#current = undefined;
    this.#after = reader.object.key;
    this.#fetcher.next();
  }

  #end(): 'end' {
    this.#last ??= this.#root === this.#uris.length - 1 ? (this.#after ?? '') : '';
    this.#root = this.#uris.length;
    this.#after = undefined;
    return 'end';
  }

  /** A failure is only reported: nothing was to be read. */
  #lookBehind(found: Observable<LaterObjects>): void {
    const { attempt, id: operator } = this.#context;
    const looking = new Subscription();
    this.#looking = looking;
    looking.add(
      found.subscribe({
        next: (later) => {
          looking.unsubscribe();
          if (later.first !== undefined) attempt.report(notRead(operator, later, later.first));
          this.#ready();
        },
        error: (error: unknown) => {
          looking.unsubscribe();
          const message = `Source '${operator}' has read everything; whether input was added since is unknown.`;
          attempt.report({ type: 'warning', operator, message, error });
          this.#ready();
        },
      }),
    );
  }

  #hand(current: ObjectReader, piece: Piece, out: SourceOutput<T>): void {
    if (piece.kind === 'records') {
      this.#handBlock(current, piece.bytes, piece.start, out);
      return;
    }
    this.#bytes += piece.length;
    current.line++;
    this.#malformed(
      current.object,
      {
        offset: piece.start,
        length: piece.length,
        line: current.line,
        text: piece.excerpt.toString('utf8'),
        reason: `longer than ${this.#settings.maxLineBytes} bytes`,
      },
      out,
    );
    this.#place = undefined;
  }

  #handBlock(current: ObjectReader, bytes: Buffer, start: number, out: SourceOutput<T>): void {
    const { format } = this.#settings;
    const { object } = current;
    const line = current.line + 1;
    const before = out.taken;
    const inBlock = (): RecordPlace => ({
      object: object.uri,
      ...locate(format, { bytes, start, line }, out.taken - before),
    });
    this.#bytes += bytes.length;
    this.#place = inBlock;
    current.line += format.decode(
      bytes,
      start,
      line,
      (record) => out.record(record),
      (bad) => {
        this.#malformed(object, bad, out);
        this.#place = inBlock;
      },
    );
    this.#place = undefined;
  }

  #malformed(object: FileObject, bad: Malformed, out: SourceOutput<T>): void {
    const { offset, line, text, reason } = bad;
    this.#place = () => ({ object: object.uri, offset, line });
    switch (this.#settings.onMalformed) {
      case 'fail':
        throw new MalformedRecord(object.uri, offset, line, text.slice(0, excerptLength), reason);
      case 'skip':
        this.#skipped++;
        this.#lastSkipped = { object: object.uri, offset, line, reason };
        return;
      case 'deadLetter':
        out.deadLetter({ source: this.#context.id, object: object.uri, offset, line, text, reason });
    }
  }

  /** Once a poll at most, with the last of them as the example. */
  #reportSkipped(): void {
    if (this.#lastSkipped === undefined) return;
    const example = this.#lastSkipped;
    this.#lastSkipped = undefined;
    this.#context.attempt.report({
      type: 'skipped',
      operator: this.#context.id,
      ...example,
      count: this.#skipped,
    } satisfies SkippedEvent);
  }

  #ready(): void {
    if (!this.#polling && !this.#closed) this.#context.ready();
  }

  /** The poll that gets as far as the failure throws it. */
  #fail(error: unknown): void {
    this.#error ??= { error };
    this.#ready();
  }
}

function notRead(operator: string, { count, more }: LaterObjects, object: string): NotReadEvent {
  const objects = `${more ? 'At least ' : ''}${count} ${count === 1 ? 'object' : 'objects'}`;
  const message = `${objects} were added after source '${operator}' had read everything, and ${count === 1 ? 'is' : 'are'} not read; the first is ${object}. A finished job stays finished: read them with a job of their own, or everything again with this job under another name.`;
  return { type: 'input-not-read', operator, objects: count, more, object, message };
}

/** What is read is what was listed. Errors: `PreconditionFailed`, `Integrity`. */
function checkVersion({ uri, etag, size }: FileObject, info: ObjectInfo): void {
  if (info.etag !== etag)
    throw new StoreError('PreconditionFailed', `${uri} has another ETag than it was listed with.`);
  if (info.size === size) return;
  throw new StoreError('Integrity', `${uri} has ${info.size} bytes, and was listed with ${size}. Try again.`);
}
