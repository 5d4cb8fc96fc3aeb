/**
 * Determines which objects a `files` source reads, and in which order. `listed` ends with its listing; another
 * discovery may find objects for as long as the job runs.
 *
 * A discovery is ahead of the reading, because objects are prefetched. Its part of the position therefore covers only objects
 * that are being read or were read: those that it knows to be `opened`.
 */
import type { Clock, Json, MemoryCharge, OperatorEvent } from '../flow/index.js';
import type { GroupReader } from '../formats/groupReader.js';
import type { Reader } from '../formats/reader.js';
import type { Links } from '../store/links.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { Stores } from '../store/services.js';
import type { ObjectPosition, OpenPosition } from './filesPosition.js';
import type { PlannedObject } from './fragmentBudget.js';
import type { Split } from './splits.js';
import type { UriOwners } from './uriOwners.js';

/** An object to read, and where to start in it. */
export interface FileObject extends PlannedObject {
  readonly uri: string;
  readonly store: ObjectStore;
  /** Index of the URI that covers it. */
  readonly root: number;
  /** The store's date of it. Milliseconds since the epoch. */
  readonly modified: number;
  /** Where the resumed run stopped in it. */
  readonly resume: ObjectPosition | undefined;
  /** The object of the restored position that it is, even if nothing of it was read. */
  readonly restored: OpenPosition | undefined;
  /** The part that is read of it, if it is read in splits. */
  readonly split?: Split;
}

/** The discovery of one attempt. */
export interface Discovery {
  /** Its part of the position. */
  position(): Json;
  /**
   * The reader begins with an object, in the order in which `next` has answered them; or, with `undefined`, everything is
   * read. May call `answer` of a pending `next`.
   */
  opened(object: FileObject | undefined): void;
  /**
   * An object cannot be read to its end, because its version no longer exists. `unread`: nothing of it was passed on. Returns
   * whether the source continues without it; otherwise the error fails the source. Default: it fails.
   */
  lost?(object: FileObject, error: unknown, unread: boolean): boolean;
  /**
   * Requests the next object; `undefined` means that no more will come. One request at a time; the answer may be synchronous.
   * The first objects are those that the restored position is in, in its order.
   */
  next(answer: (object: FileObject | undefined) => void): void;
  /** The request that is pending; `undefined` while it waits for objects that do not exist yet. */
  readonly waitsFor: string | undefined;
  /** The objects that are found and that `next` has not answered yet. */
  ahead(): Iterable<Pick<FileObject, 'size' | 'modified'>>;
  /** Whether a listing has come to its end, in this attempt or before. */
  readonly complete: boolean;
  /** Of a discovery that does not end. */
  lag?(): DiscoveryLag;
  /** Aborts the pending request. Nothing is answered after that. */
  close(): void;
}

/** How old the knowledge of a discovery is. */
export interface DiscoveryLag {
  /** The server's time now. Milliseconds since the epoch. */
  readonly serverTime: number;
  /** Milliseconds since the start of the last complete listing, or else of the attempt. */
  readonly listingMs: number;
}

export interface DiscoveryOptions {
  /** Of the source. */
  readonly id: string;
  readonly uris: readonly string[];
  /** Which of the URIs an object belongs to. */
  readonly owners: UriOwners;
  readonly stores: Stores;
  readonly format: Reader<unknown> | GroupReader<unknown>;
  readonly hidden: boolean;
  readonly unreadable: 'fail' | 'skip';
  readonly vanished: 'fail' | 'skip';
  readonly links: Links;
  readonly allowEmpty: boolean;
  /** The discovery's part of the restored position, and the objects that it is in. */
  readonly restored: { readonly discovery: Json; readonly objects: readonly OpenPosition[] } | undefined;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Counts memory that grows with what is found. */
  readonly charge: () => MemoryCharge;
  /** An object that the restored position is in is given up: no position names it any more. */
  readonly givenUp: (object: OpenPosition) => void;
  /** A request is sent. */
  readonly requested: (method: 'list' | 'head') => void;
  /** Its progress has changed although nothing was found. */
  readonly progressed: () => void;
  /** Reports an event of the source. */
  readonly report: (event: OperatorEvent) => void;
  /** The source cannot continue. */
  readonly fail: (error: unknown) => void;
}

/** Opens a discovery for one attempt. Errors: `BadPosition`. */
export type Discover = (options: DiscoveryOptions) => Discovery;
