import { MillraceError } from '../errors.js';
import type { Json } from '../flow/index.js';
import type { CodecName, MemberStart } from '../formats/codec.js';

/**
 * Where a `files` source is: what a checkpoint holds of it, and all it needs to go on. Its size does not depend on how
 * many objects there are, because objects are read in the order of their listing: everything up to `after`, or before
 * `object`, is done.
 */
export interface FilesPosition {
  /** Index of the URI that is being read; the number of URIs when all is read. */
  readonly root: number;
  /** That URI, to notice that the list was changed. */
  readonly uri?: string;
  /** The last key of this root that is read to its end. */
  readonly after?: string;
  /** The object that is being read. */
  readonly object?: ObjectPosition;
  /** Malformed records skipped so far, over the job's life. */
  readonly skipped: number;
}

export interface ObjectPosition {
  readonly key: string;
  readonly etag: string;
  /** Decompressed bytes read. */
  readonly offset: number;
  /** Lines read. */
  readonly line: number;
  /** In a compressed object: where decompression has to start to get there. */
  readonly member?: MemberStart;
}

/** The position as a manifest holds it. */
export function encodePosition(position: FilesPosition): Json {
  const { object, ...rest } = position;
  if (object === undefined) return { ...rest };
  const { member, ...fields } = object;
  return { ...rest, object: member === undefined ? fields : { ...fields, member: { ...member } } };
}

/** The codec of an object that was read up to `position`. Errors: `BadPosition` (another one is set now). */
export function codecAt(id: string, position: ObjectPosition, set: CodecName | 'auto'): CodecName {
  const codec = position.member === undefined ? 'none' : 'gzip';
  if (set === 'auto' || set === codec) return codec;
  throw badPosition(
    id,
    `is in the middle of ${position.key}, which was read with compression '${codec}', and not '${set}' as it is set now`,
  );
}

const badPosition = (id: string, what: string): MillraceError =>
  new MillraceError(
    'BadPosition',
    `The checkpoint's position of source '${id}' ${what}. Give a changed source a new id, or start the job afresh.`,
  );

/** Errors: `BadPosition` (not a position of this source, or the URIs were changed). */
export function decodePosition(id: string, json: Json, uris: readonly string[]): FilesPosition {
  const position = json as unknown as Partial<FilesPosition> | null;
  const bad = (what: string): MillraceError => badPosition(id, what);
  if (
    typeof position !== 'object' ||
    position === null ||
    !Number.isSafeInteger(position.root) ||
    typeof position.skipped !== 'number'
  ) {
    throw bad('is not one of a files source');
  }
  const { root = 0, skipped, uri, after, object } = position;
  if (uri !== uris[root])
    throw bad(`belongs to ${uri ?? 'the end of its input'}, where there is now ${uris[root] ?? 'nothing'}`);
  return {
    root,
    skipped,
    ...(uri === undefined ? {} : { uri }),
    ...(after === undefined ? {} : { after }),
    ...(object === undefined ? {} : { object }),
  };
}
