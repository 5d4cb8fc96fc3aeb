/**
 * One attempt's reading of a `files` source: discovery → fetcher → decompressor → slicer → decoder, pulled by `poll`.
 *
 * Up to `parallelism` objects are **open** at a time. Each is a sub-stream of its own: its records stay in order, and
 * those of different objects interleave.
 *
 * 1. The discovery answers objects in its order, first those that the restored position is in. The fetcher fetches the
 *    first ones, and shares its budget among them (`fragments.ts`).
 * 2. Objects are **opened** in this order: each when a place is free and its first fragment has arrived, or that of an object
 *    after it. So one whose store does not answer takes a place, but does not stop those after it. The discovery
 *    hears of it (`opened`), and its part of the position covers the object from now on.
 * 3. A poll passes on a slice of the next open object that has something, in turn. Every one gets its slice, whatever the
 *    size of the others; one that waits is passed over.
 * 4. An object that is read to its end is closed, and is no longer in the position.
 *
 * The position at a barrier has the place in every open object, and those of the restored position that are not opened yet, as they
 * were. All others are read to their end, or were not opened and are found again. So a crash at any point loses and repeats nothing,
 * whatever the parallelism of the next run: it reopens those of the position in their order, as many at a time as it may, and
 * opens no other before.
 *
 * With `splits`, a large object is read as several, at the same time: its splits take the places of objects here, in their order
 * (`splits.ts`, `splitObjects.ts`). The position has the open ones, and the rest of the object of which some are open.
 *
 * An error of an object is thrown when it gets its turn and has nothing left that arrived before, or when nothing else can be
 * read. The places in all other objects are kept.
 *
 * Only whole records leave, so the position after the last of them is exact after every poll. Memory is bounded: the
 * fetcher by (`window` + `parallelism`) × `fragment`; for each open object, the decompressor by its own look-ahead, and the slicer by
 * the longest record. All of it counts towards one share of the memory of the process: the more the others hold, the less
 * the fetcher reads ahead. A format with row groups fetches its own ranges, within the same bound (`groupBudget.ts`).
 */
import { readsGroups } from '../formats/groupReader.js';
import { memory, type Json, type MemoryUse } from '../flow/index.js';
import type { SourceProgress } from '../store/observe/sourceProgress.js';
import { checkpointFolders, stores } from '../store/services.js';
import { BlockSize } from './blockSize.js';
import type { Discovery, FileObject } from './discovery.js';
import { FilesProgress } from './filesProgress.js';
import { Fetcher } from './fetcher.js';
import { decodePosition, encodePosition, versionOf, type OpenPosition } from './filesPosition.js';
import type { FilesSettings } from './filesSettings.js';
import { GroupBudget } from './groupBudget.js';
import { MalformedRecords } from './malformedRecords.js';
import { openObject } from './openObject.js';
import { OpenObjects, type OpenObject } from './openObjects.js';
import { ownObject, type Own } from './ownObjects.js';
import { pinnedRange } from './pinnedRange.js';
import type { RecordPlace } from './place.js';
import { SplitObjects } from './splitObjects.js';
import { splittingOf } from './splits.js';
import type { SourceContext, SourceOutput, SourceReader } from './source.js';
import { UriOwners } from './uriOwners.js';

/** The maximum number of objects finished in one poll, so that barriers and I/O get their turn. */
const objectsPerPoll = 64;

export class FilesReader<T> implements SourceReader<T> {
  readonly #settings: FilesSettings<T>;
  readonly #context: SourceContext;
  readonly #discovery: Discovery;
  readonly #splits: SplitObjects;
  readonly #fetcher: Fetcher<FileObject>;
  /** The memory for row groups, of a format that has them. The fetcher has none then. */
  readonly #groups: GroupBudget | undefined;
  readonly #malformed: MalformedRecords;
  readonly #progress: FilesProgress;
  /** At most a quarter of a slice. */
  readonly #blockSize: BlockSize;
  readonly #open = new OpenObjects<T>();
  /** The object that was opened last. */
  #latest: FileObject | undefined;
  /** The objects to resume in, until they are open. */
  readonly #resuming: Set<OpenPosition>;
  /** Objects that no longer exist, and that the source continues without, by version. */
  readonly #lost = new Map<string, FileObject>();
  #bytes = 0;
  #polling = false;
  /** Whether something has arrived in this poll. */
  #arrived = false;
  /** Errors of objects, and of the discovery (`undefined`). */
  readonly #errors = new Map<FileObject | undefined, unknown>();
  #closed = false;

  constructor(settings: FilesSettings<T>, context: SourceContext) {
    const { id, attempt } = context;
    this.#settings = settings;
    this.#context = context;
    this.#blockSize = new BlockSize(Math.ceil(settings.slice / 4));
    const restored = context.position === undefined ? undefined : decodePosition(id, context.position);
    this.#resuming = new Set(restored?.objects);
    this.#malformed = new MalformedRecords(id, settings.onMalformed, attempt, restored?.skipped ?? 0);
    const progress = (this.#progress = new FilesProgress(restored));
    const fail = (error: unknown): void => this.#fail(error);
    this.#discovery = settings.discover({
      ...settings,
      id,
      owners: new UriOwners(settings.uris, settings.hidden),
      stores: attempt.use(stores),
      restored,
      clock: attempt.clock,
      random: attempt.random,
      charge: () => attempt.use(memory).charge(),
      givenUp: (object) => {
        this.#resuming.delete(object);
        progress.resumed(object);
      },
      requested: progress.requested,
      progressed: () => this.#ready(),
      report: (event) => attempt.report(event),
      fail,
    });
    this.#splits = new SplitObjects({
      discovery: this.#discovery,
      size: settings.split,
      splitting: splittingOf(settings.format),
      format: settings.format,
      detects: settings.compression === 'auto',
      last: restored?.objects.at(-1),
    });
    const inGroups = readsGroups(settings.format);
    const who = `source '${id}' (read-ahead)`;
    this.#groups = inGroups ? new GroupBudget(settings.limits, attempt.use(memory), who) : undefined;
    const own: Own = { jobId: attempt.jobId, folders: attempt.use(checkpointFolders) };
    this.#fetcher = new Fetcher<FileObject>({
      limits: settings.limits,
      ...(inGroups
        ? { unread: true }
        : { memory: (use: Omit<MemoryUse, 'who'>) => attempt.use(memory).share({ ...use, who }) }),
      nextObject: (answer) =>
        this.#splits.next((object) => {
          const refused = object && ownObject(id, settings.uris, object, own);
          if (refused !== undefined) {
            fail(refused);
            return;
          }
          if (object?.restored !== undefined) progress.resumed(object.restored);
          if (object !== undefined) progress.found(object);
          answer(object);
        }),
      get: ({ object, ...range }) => pinnedRange(object, range),
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
    return this.#fetcher.held + this.#open.held;
  }

  poll(out: SourceOutput<T>): 'more' | 'wait' | 'end' {
    this.#polling = true;
    this.#arrived = false;
    try {
      this.#dropLost();
      const result = this.#poll(out);
      if (result === 'wait' && this.#lost.size > 0) return 'more';
      // Bytes that arrived before the failure are passed on first.
      if (result === 'wait') for (const error of this.#errors.values()) throw error;
      return result;
    } finally {
      this.#polling = false;
      this.#malformed.report();
    }
  }

  position(): Json {
    return encodePosition({
      discovery: this.#discovery.position(),
      objects: this.#reading(),
      skipped: this.#malformed.skipped,
      read: this.#progress.read,
    });
  }

  progress(): SourceProgress {
    return this.#progress.now(this.#discovery, this.#open, this.#splits.left);
  }

  waitsFor(): string | undefined {
    const { awaited } = this.#fetcher;
    if (awaited !== undefined) return `bytes ${awaited.start} to ${awaited.end} of ${awaited.object.uri}`;
    const found = this.#splits.waitsFor ?? this.#discovery.waitsFor;
    return this.#open.size === 0 ? found : this.#open.waitsFor;
  }

  place(): RecordPlace | undefined {
    return this.#open.current?.place;
  }

  close(): void {
    this.#closed = true;
    this.#discovery.close();
    this.#splits.close();
    this.#fetcher.close();
    this.#groups?.close();
    this.#open.close();
  }

  #poll(out: SourceOutput<T>): 'more' | 'wait' | 'end' {
    const start = this.#bytes;
    let finished = 0;
    // Open objects that have nothing, one after the other.
    for (let waiting = 0; !this.#closed;) {
      this.#openObjects();
      const reader = this.#open.current;
      if (reader === undefined || waiting >= this.#open.size) {
        if (this.#fetcher.over) return this.#end();
        if (!this.#arrived) return 'wait';
        this.#arrived = false;
        waiting = 0;
        continue;
      }
      const before = this.#bytes;
      const result = this.#pass(reader, start, out);
      if (result === 'end') {
        this.#finish(reader, out);
        // The others may get along again.
        waiting = 0;
        if (++finished >= objectsPerPoll) return 'more';
        continue;
      }
      // One that got nothing of the slice keeps its turn.
      if (result === 'wait' || this.#bytes > before) this.#open.pass();
      if (result === 'slice') return 'more';
      waiting++;
    }
    return 'wait';
  }

  /** Passes on what an object has, until the bytes since `start` are a slice. */
  #pass(reader: OpenObject<T>, start: number, out: SourceOutput<T>): 'slice' | 'wait' | 'end' {
    const limit = start + this.#settings.slice - this.#blockSize.largest;
    while (!this.#closed && !this.#isLost(reader.object)) {
      if (reader.atEnd) return 'end';
      if (this.#bytes > start && (this.#bytes > limit || out.turnOver)) return 'slice';
      const passed = reader.pass(out);
      if (passed !== undefined) this.#bytes += passed;
      else {
        // Before the fragment is given back that it was copied from.
        this.#count();
        if (!reader.feed()) {
          if (this.#errors.has(reader.object)) throw this.#errors.get(reader.object);
          return 'wait';
        }
      }
    }
    return 'wait';
  }

  /** What is held after the fetcher takes the place of read-ahead. */
  #count(): void {
    if (!this.#closed) this.#fetcher.alsoHeld(this.#open.held);
  }

  #openObjects(): void {
    for (;;) {
      const object = this.#fetcher.next(this.#open.size);
      if (object === undefined) return;
      this.#open.add(this.#openObject(object));
      const { restored } = object;
      if (restored !== undefined) this.#resuming.delete(restored);
      if (restored?.root === undefined) this.#latest = object;
      this.#splits.opened(object);
    }
  }

  /** The position in each object that is open, and what else is begun. */
  #reading(): readonly OpenPosition[] {
    const { rest } = this.#splits;
    const ordered = this.#open.size === 1 && this.#resuming.size === 0 && rest === undefined;
    const open = [...this.#open].map(({ object, position }) =>
      ordered && object === this.#latest && object.split === undefined
        ? position
        : { root: object.root, ...position },
    );
    return [...open, ...(rest === undefined ? [] : [rest]), ...this.#resuming];
  }

  #openObject(object: FileObject): OpenObject<T> {
    return openObject(object, this.#settings, {
      id: this.#context.id,
      malformed: this.#malformed,
      blockSize: this.#blockSize,
      clock: this.#context.attempt.clock,
      fetcher: this.#fetcher,
      groups: this.#groups,
      ready: () => this.#ready(),
      fail: (error) => this.#fail(error, object),
      failObject: (error) => this.#failObject(error, object),
    });
  }

  #finish(reader: OpenObject<T>, out: SourceOutput<T>): void {
    const { object } = reader;
    reader.end(out);
    this.#open.remove(reader);
    this.#splits.finished(object);
    const version = versionOf(object);
    const others = object.split !== undefined && this.#reading().some((each) => versionOf(each) === version);
    this.#progress.finished(object, !others);
    this.#count();
    this.#fetcher.drop(object);
  }

  #end(): 'end' {
    this.#discovery.opened(undefined);
    return 'end';
  }

  /** Not in the middle of a poll, which may be reading the object. */
  #dropLost(): void {
    for (const object of this.#lost.values())
      for (const part of this.#splits.partsOf(object)) this.#drop(part);
    this.#lost.clear();
  }

  #drop(object: FileObject): void {
    this.#progress.lost(object);
    this.#splits.lost(object);
    const reader = this.#open.of(object);
    if (reader !== undefined) {
      this.#open.remove(reader);
      this.#count();
    } else if (object.restored !== undefined) this.#resuming.delete(object.restored);
    this.#fetcher.drop(object);
  }

  #isLost(object: FileObject): boolean {
    return this.#lost.size > 0 && this.#lost.has(versionOf(object));
  }

  #failObject(error: unknown, object: FileObject): void {
    if (this.#isLost(object)) return;
    const unread = this.#splits.partsOf(object).every((part) => this.#isUnread(part));
    if (this.#discovery.lost?.(object, error, unread && this.#splits.isWhole(object)) !== true) {
      this.#fail(error, object);
      return;
    }
    this.#lost.set(versionOf(object), object);
    this.#ready();
  }

  #isUnread(object: FileObject): boolean {
    const inPosition = object.split === undefined ? object.resume : object.restored;
    return this.#open.of(object)?.unread !== false && inPosition === undefined;
  }

  #ready(): void {
    if (this.#polling) this.#arrived = true;
    else if (!this.#closed) this.#context.ready();
  }

  /** Thrown by the poll that gets as far as the failure. */
  #fail(error: unknown, object?: FileObject): void {
    if (!this.#errors.has(object)) this.#errors.set(object, error);
    this.#ready();
  }
}
