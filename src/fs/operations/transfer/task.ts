import type { ObjectInfo } from '../../../store/objectStore.js';
import type { Place } from '../place.js';
import type { Seen } from './seen.js';

/** An object to copy, from a listing, and its target. */
export interface Task {
  readonly from: Place;
  readonly source: ObjectInfo;
  readonly to: Place;
  readonly key: string;
  /** The key of the target directory, if there is one. Nothing is written outside of it. */
  readonly root?: string;
  /** The listed part of the target that may include its key. */
  readonly seen: Seen | undefined;
}

/** Identifies the written object. */
export interface Written {
  readonly etag: string;
  /** In its metadata, if it was marked. */
  readonly putId?: string;
}

/** A piece of an object that was copied or skipped. The last one of an object has the target's `etag`. */
export interface Step extends Partial<Written> {
  readonly bytes: number;
  readonly skipped: number;
  /** The target already had the same content. */
  readonly same?: true;
}

const md5 = /^[0-9a-f]{32}$/;

/**
 * Whether the target appears to have the source's content, without reading it. Two plain MD5 ETags decide; others depend on
 * how an object was written, so then the target must have the same size and must not be older.
 */
export function isSame(source: ObjectInfo, target: ObjectInfo): boolean {
  if (source.size !== target.size) return false;
  if (source.etag === target.etag) return true;
  if (md5.test(source.etag) && md5.test(target.etag)) return false;
  // 0: unknown.
  return source.modified > 0 && target.modified >= source.modified;
}
