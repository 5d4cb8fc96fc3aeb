import type { ObjectInfo } from '../../../store/objectStore.js';
import type { Place } from '../place.js';
import type { Seen } from './seen.js';

/** One object to be copied, as a listing told it, and where it goes. */
export interface Task {
  readonly from: Place;
  readonly source: ObjectInfo;
  readonly to: Place;
  readonly key: string;
  /** What the keys of all targets start with, if a directory was named: nothing is written outside of it. */
  readonly root?: string;
  /** What a listing has told of the target. */
  readonly seen: Seen | undefined;
}

/** What was written at the target, so that it can be told from everything else. */
export interface Written {
  readonly etag: string;
  /** In its metadata, if it was marked. */
  readonly putId?: string;
}

/** A piece of an object that has arrived, or had not to be sent. The last of an object has the target's `etag`. */
export interface Step extends Partial<Written> {
  readonly bytes: number;
  readonly skipped: number;
  /** The target was the same already. */
  readonly same?: true;
}

const md5 = /^[0-9a-f]{32}$/;

/**
 * Whether the target holds the source's bytes as far as can be told without reading them. Two plain MD5 ETags decide; all
 * others depend on how an object was written, so that equal sizes and a target that is not older have to do.
 */
export function isSame(source: ObjectInfo, target: ObjectInfo): boolean {
  if (source.size !== target.size) return false;
  if (source.etag === target.etag) return true;
  if (md5.test(source.etag) && md5.test(target.etag)) return false;
  // Zero: the store does not tell.
  return source.modified > 0 && target.modified >= source.modified;
}
