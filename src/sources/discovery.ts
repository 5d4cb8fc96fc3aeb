/**
 * Determines which objects a `files` source reads, one at a time and in order. `listed` ends with its listing; another
 * discovery may find objects for as long as the job runs.
 *
 * A discovery is ahead of the reading, because objects are prefetched. Its part of the position therefore covers only objects
 * that are being read or were read: each object carries the part that applies once it is opened (`passed`).
 */
import type { Json, OperatorEvent } from '../flow/index.js';
import type { Links } from '../store/links.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { Stores } from '../store/services.js';
import type { ObjectPosition } from './filesPosition.js';
import type { PlannedObject } from './fragments.js';

/** An object to read, and where to start in it. */
export interface FileObject extends PlannedObject {
  readonly uri: string;
  readonly store: ObjectStore;
  /** Where the resumed run stopped in it. */
  readonly resume: ObjectPosition | undefined;
  /** The discovery's part of every position from now on, until the next object is opened. */
  readonly passed: Json;
}

/** The discovery of one attempt. */
export interface Discovery {
  /** Its part of the position before the first object of this attempt. */
  readonly start: Json;
  /** Its part of the position when everything is read: known once `next` has answered `undefined`. */
  readonly end: Json;
  /**
   * Requests the next object; `undefined` means that no more will come. One request at a time; the answer may be synchronous.
   * The first object is the one that the restored position is in, if any.
   */
  next(answer: (object: FileObject | undefined) => void): void;
  /** The request that is pending; `undefined` while it waits for objects that do not exist yet. */
  readonly waitsFor: string | undefined;
  /** Aborts the pending request. Nothing is answered after that. */
  close(): void;
}

export interface DiscoveryOptions {
  /** Of the source. */
  readonly id: string;
  readonly uris: readonly string[];
  readonly stores: Stores;
  readonly hidden: boolean;
  readonly unreadable: 'fail' | 'skip';
  readonly links: Links;
  readonly allowEmpty: boolean;
  /** The discovery's part of the restored position, and the object that it is in. */
  readonly restored: { readonly discovery: Json; readonly object?: ObjectPosition } | undefined;
  /** Reports an event of the source. */
  readonly report: (event: OperatorEvent) => void;
  /** The source cannot continue. */
  readonly fail: (error: unknown) => void;
}

/** Opens a discovery for one attempt. Errors: `BadPosition`. */
export type Discover = (options: DiscoveryOptions) => Discovery;
