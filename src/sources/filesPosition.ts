import { MillraceError } from '../errors.js';
import { ForeignName, type Json } from '../flow/index.js';
import type { CodecName, MemberStart } from '../formats/codec.js';
import { fields, isCount, isString, optional } from '../shape.js';

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
  /** When all is read: the last key that was read of the last URI; '' if none was. */
  readonly last?: string;
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

export const badPosition = (id: string, what: string): MillraceError =>
  new MillraceError(
    'BadPosition',
    `The checkpoint's position of source '${id}' ${what}. Give a changed source a new id, or start the job afresh.`,
  );

/**
 * Reads what {@link encodePosition} made. Whether the object is one of this source's, `Listing` checks.
 * Errors: `BadPosition` (not a position of this source, or the URIs were changed), `ForeignName` (an object without a version).
 */
export function decodePosition(id: string, json: Json, uris: readonly string[]): FilesPosition {
  const bad = (what: string): MillraceError => badPosition(id, what);
  if (!isPosition(json)) throw bad('is not one of a files source');
  const { root, skipped, uri, after, last, object } = json as unknown as FilesPosition;
  if (uri !== uris[root])
    throw bad(`belongs to ${uri ?? 'the end of its input'}, where there is now ${uris[root] ?? 'nothing'}`);
  // `*` would hold for whatever is there by now.
  if (object !== undefined && (((object.etag as string | undefined) ?? '') === '' || object.etag === '*')) {
    throw new ForeignName(
      `The checkpoint's position of source '${id}'`,
      object.key,
      'not tied to the version that was read',
      'Positions of this source always have an ETag.',
    );
  }
  return {
    root,
    skipped,
    ...(uri === undefined ? {} : { uri }),
    ...(after === undefined ? {} : { after }),
    ...(last === undefined ? {} : { last }),
    ...(object === undefined ? {} : { object }),
  };
}

const isObjectPosition = fields({
  key: isString,
  // One without is told as what it is: a name that is not pinned.
  etag: optional(isString),
  offset: isCount,
  line: isCount,
  member: optional(fields({ at: isCount, offset: isCount })),
});

const isPosition = fields({
  root: isCount,
  skipped: isCount,
  uri: optional(isString),
  after: optional(isString),
  last: optional(isString),
  object: optional(isObjectPosition),
});
