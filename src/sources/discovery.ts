/**
 * Which objects a `files` source reads, one at a time and in order. `listed` finds what a listing shows when the source gets
 * there, and then it is over. Another discovery may find objects for as long as the job runs.
 *
 * A discovery runs ahead of the reading, because objects are fetched ahead. So its part of the position is not what it has
 * found, but what of that is read: each object carries what the discovery has to remember from the time that the object is
 * opened (`passed`).
 */
import type { Json, OperatorEvent } from '../flow/index.js';
import type { Links } from '../store/links.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { Stores } from '../store/services.js';
import type { ObjectPosition } from './filesPosition.js';
import type { PlannedObject } from './fragments.js';

/** An object to be read, and where in it to begin. */
export interface FileObject extends PlannedObject {
  readonly uri: string;
  readonly store: ObjectStore;
  /** Where it was left by the run that is resumed. */
  readonly resume: ObjectPosition | undefined;
  /** The discovery's part of every position from now on, until the next object is opened. */
  readonly passed: Json;
}

/** One attempt's finding of objects. */
export interface Discovery {
  /** Its part of the position before the first object of this attempt. */
  readonly start: Json;
  /** Its part of the position when everything is read: known once `next` has answered `undefined`. */
  readonly end: Json;
  /**
   * Asks for the next object; `undefined` when there is none and will be none. One question at a time; the answer may come
   * at once. The first is the object that the restored position is in, if it is in one.
   */
  next(answer: (object: FileObject | undefined) => void): void;
  /** What was asked for and has not come; `undefined` while it waits for objects that do not exist yet. */
  readonly waitsFor: string | undefined;
  /** Aborts the request under way. Nothing is answered any more. */
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
  /** Shows an event of the source. */
  readonly report: (event: OperatorEvent) => void;
  /** The source cannot go on. */
  readonly fail: (error: unknown) => void;
}

/** Opens a discovery for one attempt. Errors: `BadPosition`. */
export type Discover = (options: DiscoveryOptions) => Discovery;
